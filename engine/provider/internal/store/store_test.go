package store

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func save(t *testing.T, s *Store, r Record) {
	t.Helper()
	if err := s.Save(r); err != nil {
		t.Fatal(err)
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	s := open(t)
	want := Record{UUID: "m0", Model: "leop", Name: "0", Hostname: "alpha", Address: netip.MustParseAddr("10.1.2.3")}
	save(t, s, want)
	if got, err := s.Load("m0"); err != nil || got.Address != want.Address || got.Model != want.Model || got.Process.Alive() {
		t.Errorf("read %+v (%v), want %+v", got, err, want)
	}
	if _, err := s.Load("m1"); !errors.Is(err, model.ErrNotFound) {
		t.Errorf("an unknown machine gave %v", err)
	}
}

func TestATornRecordIsListedAsBrokenAndNotSwept(t *testing.T) {
	s := open(t)
	save(t, s, Record{UUID: "m0"})
	save(t, s, Record{UUID: "m1"})
	if err := os.WriteFile(filepath.Join(s.Dir("m0"), recordFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	records, broken, err := s.List()
	if err != nil || len(records) != 1 || records[0].UUID != "m1" || broken["m0"] == nil {
		t.Errorf("listed %v and broken %v (%v)", records, broken, err)
	}
	if _, err := s.FreeAddress(netip.MustParsePrefix("10.0.0.0/24")); err == nil {
		t.Error("an address was given out though one in use is not known")
	}
}

func TestAddressesAreGivenOutOnceAndEnd(t *testing.T) {
	s := open(t)
	subnet := netip.MustParsePrefix("10.0.0.0/29")
	for _, want := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"} {
		got, err := s.FreeAddress(subnet)
		if err != nil || got.String() != want {
			t.Fatalf("gave %v (%v), want %s", got, err, want)
		}
		save(t, s, Record{UUID: "m" + want[len(want)-1:], Address: got})
	}
	if got, err := s.FreeAddress(subnet); !errors.Is(err, model.ErrUnavailable) {
		t.Errorf("a full subnet gave %v (%v)", got, err)
	}
	if err := s.Remove("m3"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.FreeAddress(subnet); err != nil || got.String() != "10.0.0.3" {
		t.Errorf("gave %v (%v), want the one that is free again", got, err)
	}
}

func TestALockHasOneHolderAlsoWhereItsFileIsRemoved(t *testing.T) {
	s := open(t)
	unlock, err := s.Lock(t.Context(), "m0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, "m0"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second holder got %v", err)
	}
	next := make(chan error, 1)
	go func() {
		again, err := s.Lock(t.Context(), "m0")
		if err == nil {
			again()
		}
		next <- err
	}()
	unlock()
	if err := <-next; err != nil {
		t.Errorf("the next holder got %v", err)
	}
}
