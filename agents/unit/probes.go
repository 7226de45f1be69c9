package unit

import (
	"iter"

	"github.com/gantry-orchestrator/gantry/model/effect"
)

// probes are the declared probes of some ids.
func (v view) probes(ids iter.Seq[effect.ProbeID]) []effect.Probe {
	var out []effect.Probe
	for id := range ids {
		for _, p := range v.Answer.Desired.Probes {
			if p.ID == id {
				out = append(out, p)
			}
		}
	}
	return out
}

// allRead reports whether each of the probes is known or was read since the
// agent started; those of volumes always are.
func (v view) allRead(ids iter.Seq[effect.ProbeID]) bool {
	for id := range ids {
		if _, known := v.input.Facts[id]; !known && !v.Read[id] {
			return false
		}
	}
	return true
}

// healthy reports whether a service is as it should be and its health fact,
// read since anything was last done, says so.
func (v view) healthy(svc effect.Service) bool {
	p := v.Observed.Services[svc.ID]
	if svc.Stopped {
		return !p.Running
	}
	if p.PID == 0 {
		return false
	}
	if svc.Health == "" {
		return true
	}
	want := svc.Healthy
	if want == "" {
		want = "true"
	}
	got, known := v.input.Facts[svc.Health]
	return known && got.Value == want && v.Read[svc.Health]
}
