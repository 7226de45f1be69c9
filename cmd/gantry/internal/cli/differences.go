package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/gantry-orchestrator/gantry/model/operator"
)

// writeDifferences writes one line a difference: + what is added, ~ what is
// changed, - what is removed.
func writeDifferences(w io.Writer, p palette, list []operator.Difference) {
	for _, d := range list {
		fmt.Fprintln(w, differenceLine(p, d))
	}
}

func differenceLine(p palette, d operator.Difference) string {
	words := []string{d.Kind, d.Subject}
	if d.Field != "" {
		words = append(words, d.Field)
	}
	switch {
	case d.From != "" && d.To != "":
		words = append(words, d.From, "->", d.To)
	case d.To != "":
		words = append(words, d.To)
	case d.From != "":
		words = append(words, "(was "+d.From+")")
	}
	return sign(p, d.Action) + " " + strings.Join(words, " ")
}

func sign(p palette, action string) string {
	switch action {
	case "add", "fetch":
		return p.green("+")
	case "remove":
		return p.red("-")
	default:
		return p.yellow("~")
	}
}
