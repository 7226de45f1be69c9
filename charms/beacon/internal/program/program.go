// Package program is the beacon's own workload: a process that writes a
// heartbeat.
package program

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

// Run beats until ctx is done. Its arguments are the interval, the file that
// holds the message, read again on SIGHUP, and the file that gets the
// heartbeats, each in the place of the one before.
func Run(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("expected INTERVAL MESSAGE-FILE BEAT-FILE, found %d arguments: %w", len(args), model.ErrInvalid)
	}
	every, err := time.ParseDuration(args[0])
	if err != nil || every <= 0 {
		return fmt.Errorf("interval %q: expected a duration such as 10s: %w", args[0], model.ErrInvalid)
	}
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	message, now := "", time.Now()
	for read := true; ; {
		if read {
			if message, err = readMessage(args[1]); err != nil {
				return err
			}
		}
		if err := beat(args[2], now, message); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
			now, read = time.Now(), true
		case now = <-ticks.C:
			read = false
		}
	}
}

// LastBeat is what Run wrote last into a file.
func LastBeat(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the last heartbeat: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

func readMessage(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the message: %w", err)
	}
	return string(b), nil
}

// beat replaces the file at once, so that a reader finds one beat or the next.
func beat(file string, now time.Time, message string) error {
	line := now.UTC().Format(time.RFC3339) + " " + message
	if err := os.WriteFile(file+".new", []byte(line), 0o644); err != nil {
		return fmt.Errorf("write a heartbeat: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write a heartbeat: %w", err)
	}
	return nil
}
