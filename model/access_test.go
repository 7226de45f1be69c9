package model

import (
	"errors"
	"testing"
)

func TestALevelOfAccessIncludesThoseBelowIt(t *testing.T) {
	order := []AccessLevel{"", ReadAccess, WriteAccess, AdminAccess}
	for i, has := range order {
		for j, needs := range order {
			if got := has.Includes(needs); got != (i >= j) {
				t.Errorf("%q includes %q: %v", has, needs, got)
			}
		}
		if has.Includes("owner") {
			t.Errorf("%q includes a level that does not exist", has)
		}
	}
	if AccessLevel("owner").Includes(ReadAccess) {
		t.Error("a level that does not exist allows reading")
	}
}

func TestAccessIsParsedOrRefused(t *testing.T) {
	for text, want := range map[string]AccessLevel{"none": "", "read": ReadAccess, "write": WriteAccess, "admin": AdminAccess} {
		if got, err := ParseAccessLevel(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "Read", "superuser"} {
		if _, err := ParseAccessLevel(text); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
