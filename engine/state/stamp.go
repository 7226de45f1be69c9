package state

// Stamp says when a row was made and last changed, and for which revision.
type Stamp struct {
	CreateIndex uint64 `json:"create_index"`
	ModifyIndex uint64 `json:"modify_index"`
	Cause       uint64 `json:"cause,omitempty"` // the revision that the last change followed from
}
