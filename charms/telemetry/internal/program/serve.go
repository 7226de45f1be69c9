package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/archive"
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/ledger"
	"github.com/gantry-orchestrator/gantry/model"
)

// serve runs the program until ctx ends; a value from reload has it read its
// configuration again.
func serve(ctx context.Context, reload <-chan os.Signal, args []string, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it
	path := flags.String("config", "", "configuration `file`")
	if err := flags.Parse(args); err != nil {
		return usage(err)
	}
	if *path == "" || flags.NArg() > 0 {
		return usage(errors.New("serve takes --config FILE and nothing else"))
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	book, history, err := ledger.Open(c.Ledger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, book.Close()) }()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	s, err := newServer(*path, c, book, history, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.run(ctx, reload, listener, history.Open)
}

// server is the running program: a generator fills a queue, a writer empties
// it, and the web tells of both.
type server struct {
	path      string
	config    config
	log       *slog.Logger
	queue     chan archive.Packet
	generator *generator
	writer    *archive.Writer
	web       *http.Server
}

func newServer(path string, c config, book *ledger.Ledger, history ledger.History, log *slog.Logger) (*server, error) {
	s := &server{path: path, config: c, log: log, queue: make(chan archive.Packet, c.Queue)}
	queued := func() int { return len(s.queue) }
	m := newMetrics(history, queued)
	var err error
	if s.generator, err = newGenerator(c, s.queue, m.packetMade); err != nil {
		return nil, err
	}
	s.writer = archive.NewWriter(archive.Config{
		Ledger: book, Source: c.Source, Workers: c.Workers, Timeout: c.Timeout,
		Clock: time.Now, Observer: m, Log: log,
	}, c.target)
	s.web = &http.Server{Handler: handler(m, queued, s.writer.CountRows), ReadHeaderTimeout: 5 * time.Second}
	return s, nil
}

// run returns when ctx has ended and what was queued is archived, or the grace
// is over; or with the first error of a part that cannot go on.
func (s *server) run(ctx context.Context, reload <-chan os.Signal, listener net.Listener, open []ledger.Record) error {
	group, ctx := errgroup.WithContext(ctx)
	writing, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	written := make(chan struct{})
	group.Go(func() error { return s.generator.generate(ctx) })
	group.Go(func() error {
		defer close(written)
		return s.writer.Run(writing, s.queue, open)
	})
	group.Go(func() error {
		<-ctx.Done()
		grace := time.NewTimer(s.config.Grace)
		defer grace.Stop()
		select {
		case <-written:
		case <-grace.C:
			giveUp()
			<-written
		}
		return s.hangUp()
	})
	group.Go(func() error {
		if err := s.web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve metrics: %w", err)
		}
		return nil
	})
	group.Go(func() error { return s.reloads(ctx, reload) })
	s.log.Info("telemetry runs", "source", s.config.Source, "rate", s.config.Rate, "listen", listener.Addr().String(), "open", len(open))
	err := group.Wait()
	s.log.Info("telemetry ends", "unsent", len(s.queue))
	return err
}

// hangUp ends the web, requests in progress last.
func (s *server) hangUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.web.Shutdown(ctx); err != nil {
		return s.web.Close()
	}
	return nil
}

// reloads reads the configuration again at every signal. One that cannot be
// used is logged, and the former stays.
func (s *server) reloads(ctx context.Context, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-signals:
			c, err := loadConfig(s.path)
			if err == nil && c.fixed != s.config.fixed {
				err = fmt.Errorf("only spacecraft, rate, apids and archive can change while the program runs; restart it for the rest: %w", model.ErrConflict)
			}
			if err != nil {
				s.log.Error("configuration is not taken up", "err", err)
				continue
			}
			s.writer.Retarget(c.target)
			select {
			case s.generator.plans <- c.plan():
				s.log.Info("configuration is taken up", "rate", c.Rate, "apids", len(c.APIDs))
			case <-ctx.Done():
			}
		}
	}
}
