package interfaces

import (
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

var secretID = regexp.MustCompile(`^secret:[0-9a-zA-Z/-]+$`)

// isSecret checks the handle of a secret; a secret's bytes are no bag's.
func isSecret(value string) error {
	if !secretID.MatchString(value) {
		return fmt.Errorf("expected the handle of a secret, such as secret:9f86d081884c7d65")
	}
	return nil
}

// isEndpoints checks "host:port,host:port"; IPv6 hosts are in brackets.
func isEndpoints(value string) error {
	for _, endpoint := range strings.Split(value, ",") {
		host, port, err := net.SplitHostPort(endpoint)
		n, notNumber := strconv.Atoi(port)
		if err != nil || host == "" || notNumber != nil || n < 1 || n > 65535 {
			return fmt.Errorf("%q: expected HOST:PORT", endpoint)
		}
	}
	return nil
}

// isJSONList checks a JSON list of strings.
func isJSONList(value string) error {
	var list []string
	if err := json.Unmarshal([]byte(value), &list); err != nil {
		return fmt.Errorf("expected a JSON list of strings: %w", err)
	}
	return nil
}

// isJSON checks that a value is JSON.
func isJSON(value string) error {
	if !json.Valid([]byte(value)) {
		return fmt.Errorf("expected JSON")
	}
	return nil
}

// isCount checks a whole number that is not negative.
func isCount(value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 0 {
		return fmt.Errorf("%q: expected a whole number", value)
	}
	return nil
}

// isTrueOrFalse checks a truth value as Juju's charms write it.
func isTrueOrFalse(value string) error {
	if value != "true" && value != "false" {
		return fmt.Errorf("%q: expected true or false", value)
	}
	return nil
}

// postgresqlName is an SQL identifier that needs no quotes, of at most 63
// bytes as PostgreSQL keeps them; dashes are let through, as clients name
// databases after themselves.
var postgresqlName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]*$`)

func isDatabase(value string) error {
	if !postgresqlName.MatchString(value) || len(value) > 63 {
		return fmt.Errorf("%q: expected a name of at most 63 letters, digits, dashes and underscores", value)
	}
	return nil
}
