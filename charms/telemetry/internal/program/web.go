package program

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// count is the answer of /count. Rows is null when the archive cannot be
// asked; Problem then says why.
type count struct {
	Sent         int64  `json:"sent"`
	Acknowledged int64  `json:"acknowledged"`
	Unknown      int64  `json:"unknown"`
	Queued       int    `json:"queued"`
	Rows         *int64 `json:"rows"`
	Problem      string `json:"problem,omitempty"`
}

// health is the answer of /healthz. Its status is 200 as long as the program
// runs: to restart it because the archive is away would lose its queue.
type health struct {
	Status   string `json:"status"`
	Sessions int64  `json:"archive-sessions"`
}

// handler serves /metrics, /count and /healthz. rows asks the archive.
func handler(m *metrics, queued func() int, rows func(context.Context) (int64, error)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, health{Status: "ok", Sessions: m.sessions.Load()})
	})
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
		defer cancel()
		c := count{Sent: m.sent.Load(), Acknowledged: m.acknowledged.Load(), Unknown: m.unknown.Load(), Queued: queued()}
		if n, err := rows(ctx); err != nil {
			c.Problem = err.Error()
		} else {
			c.Rows = &n
		}
		answer(w, c)
	})
	return mux
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the client hung up
}
