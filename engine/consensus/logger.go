package consensus

import (
	"bytes"
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// raftLogger passes raft's warnings and errors to a slog logger.
func raftLogger(log *slog.Logger) hclog.Logger {
	if log == nil {
		return hclog.NewNullLogger()
	}
	return hclog.New(&hclog.LoggerOptions{
		Name: "raft", Level: hclog.Warn, DisableTime: true, Output: lines{log},
	})
}

// lines makes a record of each line that is written to it.
type lines struct{ log *slog.Logger }

// Write implements io.Writer.
func (l lines) Write(b []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.HasPrefix(b, []byte("[ERROR]")) {
		level = slog.LevelError
	}
	l.log.Log(context.Background(), level, "consensus", "line", string(bytes.TrimSpace(b)))
	return len(b), nil
}
