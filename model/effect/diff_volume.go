package effect

import "strings"

// volume never touches data that is foreign or of another incarnation, unless
// a warrant names it.
func (d *differ) volume(v Volume) {
	e := Effect{Volume: &v}
	was, ours := d.was.byID[v.ID]
	found, known := d.seen.Volumes[v.ID]
	incarnation, stamped := strings.CutPrefix(found, VolumeStamped)
	switch {
	case ours && was.Effect.place() != v.Path:
		d.obstruct(v.ID, true, "the volume is at %s and does not move to %s by itself: move the data, or put the path back", was.Effect.place(), v.Path)
	case !known:
		d.obstruct(v.ID, false, "what is in %s is not known yet", v.Path)
	case found == VolumeEmpty && ours && !d.warranted(v.ID, was.Effect.Volume.Incarnation):
		d.obstruct(v.ID, true, "%s held incarnation %q and is empty now: bring the data back, or remove the unit", v.Path, was.Effect.Volume.Incarnation)
	case found == VolumeEmpty:
		d.add(Step{Kind: Stamp, ID: v.ID, Effect: e, Why: "empty"})
	case !stamped:
		d.obstruct(v.ID, true, "%s holds data that is not Gantry's: move it away to have the volume made", v.Path)
	case incarnation == v.Incarnation && ours && was.Effect.Hash() == e.Hash():
		d.keep(e)
	case incarnation == v.Incarnation:
		d.add(Step{Kind: Stamp, ID: v.ID, Effect: e, Why: "mode or owner"})
	case d.warranted(v.ID, incarnation):
		d.wipe(v, incarnation)
	default:
		d.obstruct(v.ID, true, "%s holds incarnation %q, wanted %q, and no warrant lets it go", v.Path, incarnation, v.Incarnation)
	}
}

// wipe stops what runs on the volume first. A service that the volume itself
// needs is already off it.
func (d *differ) wipe(v Volume, incarnation string) {
	for _, id := range sortedIDs(d.seen.Services) {
		was, ours := d.was.byID[id]
		if !ours || !d.seen.Services[id].Running || was.Effect.Service == nil || was.Effect.Service.Volume != v.ID {
			continue
		}
		if n, wanted := d.byID[id]; wanted && len(d.of[id]) == 0 {
			d.add(Step{Kind: Stop, ID: id, Effect: n.Effect, Why: "its volume is wiped", Disrupts: true, Turn: was.Effect.Service.Turn})
		}
	}
	d.add(Step{
		Kind: Wipe, ID: v.ID, Effect: Effect{Volume: &v}, Why: "warranted: incarnation " + incarnation + " goes, " + v.Incarnation + " comes",
		Disrupts: true, Destroys: true,
	})
}
