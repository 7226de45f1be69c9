package recorder

import (
	"strings"
	"unicode"
)

// levelWithin is how far into a line its level is looked for.
const levelWithin = 200

// levels are the words that services have for how pressing a line is.
var levels = map[string]string{
	"TRACE": "debug", "DEBUG": "debug", "DEBUG1": "debug", "DEBUG2": "debug",
	"INFO": "info", "NOTICE": "info", "LOG": "info",
	"WARN": "warn", "WARNING": "warn",
	"ERROR": "error", "ERR": "error", "FATAL": "error", "PANIC": "error", "CRITICAL": "error", "ALERT": "error", "EMERG": "error",
}

// levelOf is the level that a line says of itself, empty where it says none:
// services write it as a word in capitals, or after "level".
func levelOf(text string) string {
	text = text[:min(len(text), levelWithin)]
	before := ""
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
		if l := levels[word]; l != "" {
			return l
		}
		if l := levels[strings.ToUpper(word)]; l != "" && strings.EqualFold(before, "level") {
			return l
		}
		before = word
	}
	return ""
}
