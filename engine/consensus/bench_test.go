package consensus

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const (
	benchValue  = 512
	benchLength = 5 * time.Second
)

// names are never used twice.
var names atomic.Int64

// store is a replicated store that a client of gRPC puts values into.
type store struct {
	name    string
	method  string
	request func(name string, value []byte) []byte
	conns   []*grpc.ClientConn // to the leader
}

func dialled(t testing.TB, certificates, address string, count int) (conns []*grpc.ClientConn) {
	t.Helper()
	secured, err := loaded(certificates)
	if err != nil {
		t.Fatal(err)
	}
	for range count {
		c, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(secured)), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, c)
	}
	return conns
}

// put writes one value and waits until it is committed.
func (s *store) put(ctx context.Context, client int, name string) error {
	value := append([]byte(name), make([]byte, benchValue-len(name))...)
	for i := len(name); i < len(value); i++ {
		value[i] = 'a' + byte(i%26)
	}
	request, answer := s.request(name, value), []byte(nil)
	return s.conns[client%len(s.conns)].Invoke(ctx, s.method, &request, &answer)
}

// load has clients put for a while, and returns the rate and the latencies.
func (s *store) load(t testing.TB, clients int) (rate float64, p50, p99 time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var (
		g    errgroup.Group
		mu   sync.Mutex
		took []time.Duration
	)
	began := time.Now()
	for c := range clients {
		g.Go(func() error {
			var own []time.Duration
			for time.Since(began) < benchLength {
				at := time.Now()
				if err := s.put(ctx, c, fmt.Sprintf("v-%030d", names.Add(1))); err != nil {
					return err
				}
				own = append(own, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	rate = float64(len(took)) / time.Since(began).Seconds()
	slices.Sort(took)
	return rate, took[len(took)/2], took[len(took)*99/100]
}

// ours are three members as processes, once one of them leads.
func ours(t testing.TB, certificates string) *store {
	t.Helper()
	members := threeProcesses(t, certificates)
	s := &store{name: "gantry", method: "/member/Put", request: func(_ string, value []byte) []byte { return value }}
	s.conns = dialled(t, certificates, members[0].setup.Serve, 8)
	untilPut(t, s)
	return s
}

// untilPut waits until a store takes a value.
func untilPut(t testing.TB, s *store) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := s.put(context.Background(), 0, fmt.Sprintf("first-%026d", time.Now().UnixNano()))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not take a value: %v", s.name, err)
		}
	}
}

// etcdPut is etcdserverpb.PutRequest on the wire: key is field 1, value 2.
func etcdPut(name string, value []byte) []byte {
	b := append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(name))), name...)
	return append(binary.AppendUvarint(append(b, 2<<3|2), uint64(len(value))), value...)
}

// etcd is three processes of it with mutual TLS everywhere, and clients at its
// leader. $ETCD is a folder with etcd and etcdctl where they are not in $PATH.
func etcd(t testing.TB, certificates string) *store {
	t.Helper()
	binary := filepath.Join(os.Getenv("ETCD"), "etcd")
	if os.Getenv("ETCD") == "" {
		var err error
		if binary, err = exec.LookPath("etcd"); err != nil {
			t.Logf("etcd is not measured: %v: install etcd-server and etcd-client, or set $ETCD", err)
			return nil
		}
	}
	cert, key := filepath.Join(certificates, "cert.pem"), filepath.Join(certificates, "key.pem")
	var peers, serve, all []string
	for i := range 3 {
		peers, serve = append(peers, "https://"+freePort(t)), append(serve, "https://"+freePort(t))
		all = append(all, fmt.Sprintf("e%d=%s", i, peers[i]))
	}
	for i := range 3 {
		c := exec.Command(binary, "--name", fmt.Sprint("e", i), "--data-dir", t.TempDir(), "--log-level", "error",
			"--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i], "--listen-client-urls", serve[i], "--advertise-client-urls", serve[i],
			"--initial-cluster", strings.Join(all, ","), "--quota-backend-bytes", "8000000000",
			"--peer-client-cert-auth", "--peer-trusted-ca-file", cert, "--peer-cert-file", cert, "--peer-key-file", key,
			"--client-cert-auth", "--trusted-ca-file", cert, "--cert-file", cert, "--key-file", key)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	}
	s := &store{name: "etcd", method: "/etcdserverpb.KV/Put", request: etcdPut}
	s.conns = dialled(t, certificates, strings.TrimPrefix(serve[0], "https://"), 1)
	untilPut(t, s)
	s.conns = dialled(t, certificates, etcdLeader(t, filepath.Join(filepath.Dir(binary), "etcdctl"), serve, cert, key), 8)
	return s
}

func etcdLeader(t testing.TB, etcdctl string, serve []string, cert, key string) string {
	t.Helper()
	c := exec.Command(etcdctl, "--endpoints", strings.Join(serve, ","), "--cacert", cert, "--cert", cert, "--key", key, "endpoint", "status", "-w", "json")
	c.Env = append(os.Environ(), "ETCDCTL_API=3")
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var members []struct {
		Endpoint string
		Status   struct {
			Header struct {
				ID uint64 `json:"member_id"`
			} `json:"header"`
			Leader uint64 `json:"leader"`
		}
	}
	if err := json.Unmarshal(out, &members); err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.Status.Leader == m.Status.Header.ID {
			return strings.TrimPrefix(m.Endpoint, "https://")
		}
	}
	t.Fatalf("etcd has no leader: %s", out)
	return ""
}

// fsyncs measures what a commit stands on: 512 bytes appended and synced.
func fsyncs(t testing.TB) (p50, p99 time.Duration) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "fsync"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	value := make([]byte, benchValue)
	for began := time.Now(); time.Since(began) < benchLength/2; {
		at := time.Now()
		if _, err := f.Write(value); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// BenchmarkCommits puts 512 bytes at a time through gRPC and mutual TLS into
// three processes with fsync, and does the same with etcd where it is there.
func BenchmarkCommits(b *testing.B) {
	certificates := b.TempDir()
	writeCertificate(b, certificates)
	p50, p99 := fsyncs(b)
	fmt.Printf("figure: fsync of %d bytes: p50 %v, p99 %v\n", benchValue, p50.Round(10*time.Microsecond), p99.Round(10*time.Microsecond))
	gantry, peer := ours(b, certificates), etcd(b, certificates)
	for range b.N {
		for _, clients := range []int{1, 16, 256, 1024} {
			rate, at50, at99 := gantry.load(b, clients)
			fmt.Printf("figure: %4d clients: gantry %.0f commits/s, p50 %v, p99 %v (%.1f fsyncs)", clients, rate,
				at50.Round(10*time.Microsecond), at99.Round(10*time.Microsecond), float64(at99)/float64(p50))
			if peer != nil {
				theirs, their50, their99 := peer.load(b, clients)
				fmt.Printf("; etcd %.0f puts/s, p50 %v, p99 %v; ratio %.2f", theirs, their50.Round(10*time.Microsecond), their99.Round(10*time.Microsecond), rate/theirs)
			}
			fmt.Println()
		}
	}
}

// threeStores are three members, each with a client.
func threeStores(t testing.TB) (members []*memberProcess, stores []*store) {
	t.Helper()
	certificates := t.TempDir()
	writeCertificate(t, certificates)
	members = threeProcesses(t, certificates)
	for _, m := range members {
		s := &store{name: m.setup.Member.ID, method: "/member/Put", request: func(_ string, value []byte) []byte { return value }}
		s.conns = dialled(t, certificates, m.setup.Serve, 2)
		stores = append(stores, s)
	}
	return members, stores
}

// BenchmarkFailover kills the leader under 16 writers, 20 times, and measures
// until the next acknowledged commit.
func BenchmarkFailover(b *testing.B) {
	members, stores := threeStores(b)
	var number, last, leader atomic.Int64
	first, _ := committedElsewhere(b, stores, -1)
	leader.Store(int64(first))
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	for w := range 16 {
		g.Go(func() error {
			for at := w; ctx.Err() == nil; {
				short, done := context.WithTimeout(ctx, time.Second)
				err := stores[at%3].put(short, w, fmt.Sprintf("w-%030d", number.Add(1)))
				done()
				if err != nil {
					at++
					time.Sleep(5 * time.Millisecond) // a client's back-off
					continue
				}
				leader.Store(int64(at % 3))
				last.Store(time.Now().UnixNano())
			}
			return nil
		})
	}
	var gaps []time.Duration
	for range 20 {
		at := leader.Load()
		members[at].kill()
		killed := time.Now()
		for last.Load() < killed.UnixNano()+int64(5*time.Millisecond) || leader.Load() == at {
			time.Sleep(time.Millisecond)
			if time.Since(killed) > 10*time.Second {
				b.Fatal("no commit 10 s after the leader was killed")
			}
		}
		gaps = append(gaps, time.Duration(last.Load()-killed.UnixNano()))
		members[at].start(b)
		time.Sleep(2 * time.Second) // it catches up
	}
	cancel()
	_ = g.Wait()
	slices.Sort(gaps)
	fmt.Printf("figure: leader killed to next commit, 16 writers, 20 times: median %v, most %v\n", gaps[10].Round(time.Millisecond), gaps[19].Round(time.Millisecond))
}
