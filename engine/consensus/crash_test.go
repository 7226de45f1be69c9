package consensus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/gantry-orchestrator/gantry/model"
)

// childDir makes the test binary a node that writes there until it is killed.
const childDir = "GANTRY_TEST_CONSENSUS_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		writeUntilKilled(dir)
	}
	if setup := os.Getenv(memberEnv); setup != "" {
		fmt.Fprintln(os.Stderr, serveMember(setup))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writeUntilKilled proposes from many goroutines and prints what was
// acknowledged.
func writeUntilKilled(dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	n, err := Open(Config{ID: "c1", Dir: dir, Address: l.Addr().String(), Listener: l, Dial: nobody})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	g, ctx := errgroup.WithContext(context.Background())
	g.Go(func() error {
		return n.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	})
	if err := n.Led(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for w := range 8 {
		g.Go(func() error {
			for i := 0; ; i++ {
				name := fmt.Sprintf("p%d-w%d-%d", os.Getpid(), w, i)
				outcomes, err := n.Propose(ctx, addModel(name, name))
				if err != nil || outcomes[0].Err != nil {
					return fmt.Errorf("%s: %v %v", name, err, outcomes)
				}
				// One write a line: the pipe keeps it whole.
				fmt.Fprintf(os.Stdout, "%s\n", name)
			}
		})
	}
	fmt.Fprintln(os.Stderr, g.Wait())
	os.Exit(1)
}

// nobody is whom a single member reaches.
func nobody(context.Context, string) (net.Conn, error) { return nil, errors.New("there are no others") }

func TestKillInTheMiddleOfWritesLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for round := range 3 {
		acknowledged = append(acknowledged, killAfter(t, dir, 40+30*round)...)
		n := start(t, dir)
		led(t, n.Node)
		st := n.State()
		for _, name := range acknowledged {
			if _, ok := st.Model(model.ModelName(name)); !ok {
				t.Fatalf("round %d: %s was acknowledged and is lost", round, name)
			}
		}
		if err := n.end(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged over 3 kills", len(acknowledged))
}

// killAfter runs a writing child, kills it by SIGKILL after some
// acknowledgements and returns all that it printed.
func killAfter(t *testing.T, dir string, count int) (names []string) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+dir)
	var stderr strings.Builder
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		names = append(names, strings.TrimSpace(line))
		if len(names) == count {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	if len(names) < count {
		t.Fatalf("the child ended after %d writes: %s", len(names), stderr.String())
	}
	return names
}
