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
	"github.com/gantry-orchestrator/gantry/charms/telemetry/internal/topic"
)

// configured reads the configuration that the arguments of a command name.
func configured(command string, args []string) (path string, c config, err error) {
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it
	flags.StringVar(&path, "config", "", "configuration `file`")
	if err := flags.Parse(args); err != nil {
		return "", config{}, usage(err)
	}
	if path == "" || flags.NArg() > 0 {
		return "", config{}, usage(fmt.Errorf("%s takes --config FILE and nothing else", command))
	}
	c, err = loadConfig(path)
	return path, c, err
}

// sink is where packets go.
type sink interface {
	Run(ctx context.Context, packets <-chan archive.Packet, open []ledger.Record) error
	retarget(config) error
}

// serve makes packets until ctx ends, and sends them into the archive or, by
// the command produce, to the topic; a value from reload has it read its
// configuration again.
func serve(ctx context.Context, reload <-chan os.Signal, command string, args []string, stderr io.Writer) (err error) {
	path, c, err := configured(command, args)
	if err != nil {
		return err
	}
	if command == "produce" {
		if err := c.requireTopic(command); err != nil {
			return err
		}
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
	s, err := newServer(path, command, c, book, history, slog.New(slog.NewTextHandler(stderr, nil)))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.run(ctx, reload, listener, history.Open)
}

// server is the running program: a generator fills a queue, a sink empties it,
// and the web tells of both.
type server struct {
	path      string
	config    config
	log       *slog.Logger
	queue     chan archive.Packet
	generator *generator
	sink      sink
	catalog   *archive.Catalog
	web       *http.Server
}

func newServer(path, command string, c config, book *ledger.Ledger, history ledger.History, log *slog.Logger) (*server, error) {
	s := &server{path: path, config: c, log: log, queue: make(chan archive.Packet, c.Queue)}
	s.catalog = archive.NewCatalog(c.Source, c.Timeout, c.target)
	queued := func() int { return len(s.queue) }
	m := newMetrics(history, queued)
	var err error
	if s.generator, err = newGenerator(c, s.queue, m.packetMade); err != nil {
		return nil, err
	}
	if s.sink, err = newSink(command, c, book, s.catalog, m, log); err != nil {
		return nil, err
	}
	s.web = &http.Server{Handler: handler(m, queued, s.catalog.CountRows), ReadHeaderTimeout: 5 * time.Second}
	return s, nil
}

// newSink is where a command sends its packets.
func newSink(command string, c config, book *ledger.Ledger, catalog *archive.Catalog, m *metrics, log *slog.Logger) (sink, error) {
	if command == "produce" {
		p, err := topic.NewProducer(topic.Config{
			Ledger: book, Source: c.Source, Catalog: catalog, Clock: time.Now, Observer: m, Log: log,
		}, c.topic)
		return stream{p}, err
	}
	return direct{archive.NewWriter(archive.Config{
		Ledger: book, Source: c.Source, Workers: c.Workers, Timeout: c.Timeout,
		Clock: time.Now, Observer: m, Log: log,
	}, c.target)}, nil
}

// direct sends packets into the archive.
type direct struct{ *archive.Writer }

func (d direct) retarget(c config) error {
	d.Retarget(c.target)
	return nil
}

// stream sends packets to the topic.
type stream struct{ *topic.Producer }

func (s stream) retarget(c config) error {
	if err := c.requireTopic("produce"); err != nil {
		return err
	}
	return s.Retarget(c.topic)
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
		return s.sink.Run(writing, s.queue, open)
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
		return hangUp(s.web)
	})
	group.Go(func() error { return answerAt(listener, s.web) })
	group.Go(func() error { return s.reloads(ctx, reload) })
	s.log.Info("telemetry runs", "source", s.config.Source, "rate", s.config.Rate, "listen", listener.Addr().String(), "open", len(open))
	err := group.Wait()
	s.log.Info("telemetry ends", "unsent", len(s.queue))
	return err
}

// answerAt serves a web until it is hung up.
func answerAt(listener net.Listener, web *http.Server) error {
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// hangUp ends a web, requests in progress last.
func hangUp(web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := web.Shutdown(ctx); err != nil {
		return web.Close()
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
			c, err := s.config.again(s.path)
			if err == nil {
				err = s.sink.retarget(c)
			}
			if err != nil {
				s.log.Error("configuration is not taken up", "err", err)
				continue
			}
			s.catalog.Retarget(c.target)
			select {
			case s.generator.plans <- c.plan():
				s.log.Info("configuration is taken up", "rate", c.Rate, "apids", len(c.APIDs))
			case <-ctx.Done():
			}
		}
	}
}
