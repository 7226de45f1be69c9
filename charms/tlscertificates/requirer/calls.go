package requirer

import (
	"strings"

	"github.com/gantry-orchestrator/gantry/charms/tlscertificates/requirer/internal/operate"
)

const (
	callKey     = "tls-key"
	callRequest = "tls-request"
)

// Calls are those of the tasks that Request wants, by name.
var Calls = map[string]func(args map[string]string) (string, error){
	callKey:     func(map[string]string) (string, error) { return operate.NewKey() },
	callRequest: func(args map[string]string) (string, error) { return operate.Request(args["key"], subjectOf(args)) },
}

func subjectOf(args map[string]string) operate.Subject {
	return operate.Subject{Name: args["name"], Names: strings.Split(args["names"], ","), Addresses: strings.Split(args["addresses"], ",")}
}
