package pki

import "time"

// Validity is the time in which the authority's own certificate is good.
func (a *Authority) Validity() (begins, ends time.Time) {
	return a.certificate.NotBefore, a.certificate.NotAfter
}
