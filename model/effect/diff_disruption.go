package effect

import "slices"

// Disruption is what some steps interrupt or lose: the part of a plan that an
// approval binds.
type Disruption struct {
	Starts   []ID     `json:"starts,omitempty"`
	Restarts []ID     `json:"restarts,omitempty"`
	Reloads  []ID     `json:"reloads,omitempty"`
	Stops    []ID     `json:"stops,omitempty"`
	Tasks    []ID     `json:"tasks,omitempty"` // that take a turn
	Destroys []ID     `json:"destroys,omitempty"`
	Turns    []string `json:"turns,omitempty"` // asked for
}

// Disruption sums up the steps.
func (diff Difference) Disruption() Disruption {
	var d Disruption
	for _, s := range diff.Steps {
		switch {
		case s.Destroys:
			d.Destroys = append(d.Destroys, s.ID)
		case s.Kind == Start:
			d.Starts = append(d.Starts, s.ID)
		case s.Kind == Restart:
			d.Restarts = append(d.Restarts, s.ID)
		case s.Kind == Reload:
			d.Reloads = append(d.Reloads, s.ID)
		case s.Disrupts && s.Effect.Service != nil:
			d.Stops = append(d.Stops, s.ID)
		case s.Disrupts:
			d.Tasks = append(d.Tasks, s.ID)
		}
		if s.Turn != nil && !slices.Contains(d.Turns, s.Turn.Name) {
			d.Turns = append(d.Turns, s.Turn.Name)
		}
	}
	return d
}

// Within reports whether nothing is disrupted or lost that allowed does not
// name.
func (d Disruption) Within(allowed Disruption) bool {
	return subset(d.Restarts, allowed.Restarts) && subset(d.Stops, allowed.Stops) &&
		subset(d.Tasks, allowed.Tasks) && subset(d.Destroys, allowed.Destroys)
}

func subset(a, b []ID) bool {
	return !slices.ContainsFunc(a, func(id ID) bool { return !slices.Contains(b, id) })
}
