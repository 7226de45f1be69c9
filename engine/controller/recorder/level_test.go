package recorder

import "testing"

func TestALineSaysHowPressingItIs(t *testing.T) {
	for text, want := range map[string]string{
		`time=2026-03-01T12:00:00Z level=WARN msg="late"`:                                  "warn",
		`{"time":"2026-03-01","level":"error","msg":"LOG is full"}`:                        "error",
		`2026-03-01 12:00:00.000 UTC [71] FATAL:  the database system is starting up`:      "error",
		`2026-03-01 12:00:00.000 UTC [71] LOG:  database system is ready`:                  "info",
		`[NOTICE]   (93) : haproxy version is 2.6.12`:                                      "info",
		`[WARNING]  (93) : Server db/a is DOWN, reason: Layer4 timeout, ERROR from socket`: "warn",
		`an error was found, and nothing is said of its level`:                             "",
		``: "",
	} {
		if got := levelOf(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
