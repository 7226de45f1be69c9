package roles

import (
	"slices"
	"testing"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// An agent tells its units where their charm's program is as soon as it has
// their intent, and fetches the charm when it first asks it.
func TestTheProgramOfAnUploadedCharmIsKnownBeforeItIsFetched(t *testing.T) {
	c := &charmHost{dir: t.TempDir()}
	got := c.program(effect.Charm{Name: "hello", Revision: "5d904e79"})
	if want := []string{c.dir + "/5d904e79/charm", "run"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
