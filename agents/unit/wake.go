package unit

import (
	"maps"
	"slices"
	"time"
)

// wake is when time alone may change what Step returns; zero for never.
func (v view) wake() time.Time {
	var first time.Time
	consider := func(at time.Time) {
		if at.After(v.Now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, f := range v.Failures {
		consider(f.RetryAt)
	}
	if v.Journal.TearingDown() {
		return first
	}
	consider(v.Answer.Desired.Revisit)
	if v.Journal.Intent.Live.Leader {
		consider(v.LeadsUntil)
	}
	for _, svc := range v.Answer.Desired.Services {
		p := v.Observed.Services[svc.ID]
		if svc.Window > 0 && !p.Since.IsZero() {
			consider(p.Since.Add(svc.Window))
		}
		for _, at := range p.Crashes {
			consider(at.Add(FlapWindow + time.Nanosecond))
		}
	}
	return first
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
