package tlscertificates

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gantry-orchestrator/gantry/charms/sdk"
	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/internal/operate"
	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Call implements sdk.Caller.
func (Charm) Call(_ context.Context, call effect.Invocation) (string, error) {
	args := call.Args
	switch call.Name {
	case callKey:
		return operate.NewKey(args["type"])
	case callRoot:
		days, err := strconv.Atoi(args["days"])
		if err != nil {
			return "", fmt.Errorf("days: %w", err)
		}
		return operate.Authority{Key: args["key"]}.Root(args["name"], time.Duration(days)*day)
	case callSign:
		return signRequest(args)
	default:
		return "", fmt.Errorf("call %q: %w", call.Name, model.ErrNotFound)
	}
}

func signRequest(args map[string]string) (string, error) {
	seconds, err := strconv.Atoi(args["seconds"])
	if err != nil {
		return "", fmt.Errorf("seconds: %w", err)
	}
	generation, err := strconv.Atoi(args["generation"])
	if err != nil {
		return "", fmt.Errorf("generation: %w", err)
	}
	authority := operate.Authority{Key: args["key"], Certificate: args["ca"]}
	signed, err := authority.Sign(args["csr"], time.Duration(seconds)*time.Second)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(issued{Certificate: signed.Certificate, Generation: generation, From: signed.From, Until: signed.Until})
	return string(b), err
}

// RunAction implements sdk.ActionRunner.
func (Charm) RunAction(_ context.Context, action effect.Invocation) (map[string]string, error) {
	a := authority{in: action.Input, b: &sdk.Builder{}}
	if waits := a.mint(); waits != "" {
		return nil, fmt.Errorf("it waits %s: %w", waits, model.ErrUnavailable)
	}
	switch action.Name {
	case "get-ca-certificate":
		return map[string]string{"ca-certificate": strings.Join(a.trusted(), "")}, nil
	case "get-issued-certificates":
		return a.listed(), nil
	default:
		return nil, fmt.Errorf("action %q: %w", action.Name, model.ErrNotFound)
	}
}

// listed is who asked for a certificate, and how that stands.
func (a *authority) listed() map[string]string {
	var lines []string
	count := 0
	for _, q := range a.requests() {
		switch {
		case q.refused != "":
			lines = append(lines, fmt.Sprintf("%s refused: %s", q.unit, q.refused))
		case q.issued == nil:
			lines = append(lines, fmt.Sprintf("%s waiting", q.unit))
		default:
			count++
			lines = append(lines, fmt.Sprintf("%s until %s, by generation %d", q.unit, q.issued.Until.Format(time.DateTime), q.issued.Generation))
		}
	}
	return map[string]string{"certificates": strings.Join(lines, "\n"), "count": fmt.Sprint(count)}
}
