package requirer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer/internal/operate"
	"github.com/gantry-orchestrator/gantry/model/effect"
)

// Simulate is what a Call of Request would give, for a charm's twin; false
// where it is another call. The request is real, and signed with a key that
// follows from its name: equal tasks give equal requests.
func Simulate(run effect.Exec) (output string, ok bool) {
	switch run.Call {
	case callKey:
		return "key", true
	case callRequest:
		args := map[string]string{}
		for name, content := range run.Args {
			args[name] = text(content)
		}
		seed := sha256.Sum256([]byte(args["name"]))
		csr, err := operate.SignedBy(nil, ed25519.NewKeyFromSeed(seed[:]), subjectOf(args))
		if err != nil {
			panic("requirer: a simulated request is refused: " + err.Error())
		}
		return csr, true
	}
	return "", false
}

func text(c effect.Content) string {
	var b strings.Builder
	for _, s := range c {
		b.WriteString(s.Text)
	}
	return b.String()
}
