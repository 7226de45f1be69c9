// Package observe judges what was measured of a control plane and of a host:
// facts in, findings out, each with what it means and what to do. Measuring is
// others' work.
package observe
