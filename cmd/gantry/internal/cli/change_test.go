package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gantry-orchestrator/gantry/model"
	"github.com/gantry-orchestrator/gantry/model/operator"
)

func changing() *session { return &session{shell: telling(&bytes.Buffer{})} }

func TestAChangeIsTriedAgainUntilAControllerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		done, err := commit(t.Context(), changing(), "changing", func(context.Context) (operator.Committed, error) {
			if tries++; tries < 4 {
				return operator.Committed{}, fmt.Errorf("no leader: %w", model.ErrUnavailable)
			}
			return operator.Committed{Revision: 3}, nil
		})
		if err != nil || done.Revision != 3 || tries != 4 {
			t.Errorf("revision %d, %v after %d tries", done.Revision, err, tries)
		}
	})
}

func TestARefusedChangeIsNotTriedAgain(t *testing.T) {
	tries := 0
	_, err := commit(t.Context(), changing(), "changing", func(context.Context) (operator.Committed, error) {
		tries++
		return operator.Committed{}, model.ErrInvalid
	})
	if !errors.Is(err, model.ErrInvalid) || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}

func TestAControllerThatStaysAwayIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := commit(t.Context(), changing(), "changing", func(context.Context) (operator.Committed, error) {
			return operator.Committed{}, model.ErrUnavailable
		})
		if !errors.Is(err, model.ErrUnavailable) || time.Since(began) != commitTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestATimeThatEndsInTheMidstOfATrySaysWhatWasToldBefore(t *testing.T) {
	for tries, want := range map[int]string{
		1: "no answer: it is not known whether the change was committed: context deadline exceeded",
		2: "no answer to the last of several tries: it is not known whether the change was committed: context deadline exceeded; before that: 1 of 3 controllers answer: unavailable",
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			_, err := commit(t.Context(), changing(), "changing", func(ctx context.Context) (operator.Committed, error) {
				if n++; n < tries {
					return operator.Committed{}, fmt.Errorf("1 of 3 controllers answer: %w", model.ErrUnavailable)
				}
				<-ctx.Done()
				return operator.Committed{}, ctx.Err()
			})
			if err == nil || err.Error() != want || exitCode(err) != ExitTimeout || !errors.Is(err, errUnknownOutcome) {
				t.Errorf("after %d tries: %v, exit code %d", n, err, exitCode(err))
			}
		})
	}
}

func TestAnInterruptTellsWhatBecameOfTheChange(t *testing.T) {
	tests := map[string]struct {
		answer error // after a second, nil for success
		never  bool  // it does not come at all
		want   string
	}{
		"committed":                             {want: "the change is committed as revision 3"},
		"refused":                               {answer: model.ErrConflict, want: "the change was not committed"},
		"no answer says that it is not known":   {never: true, want: "it is not known whether the change was committed"},
		"a lost connection is not known either": {answer: model.ErrUnavailable, want: "it is not known whether the change was committed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithCancel(t.Context())
				_, err := commit(ctx, changing(), "deploying", func(sending context.Context) (operator.Committed, error) {
					interrupt()
					if test.never {
						<-sending.Done()
						return operator.Committed{}, sending.Err()
					}
					select {
					case <-time.After(time.Second):
					case <-sending.Done():
						t.Error("the interrupt tore the change")
					}
					return operator.Committed{Revision: 3}, test.answer
				})
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got %v, want %q in it", err, test.want)
				}
			})
		})
	}
}
