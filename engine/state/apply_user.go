package state

import (
	"fmt"
	"slices"
	"time"

	"github.com/gantry-orchestrator/gantry/engine/state/tables"
	"github.com/gantry-orchestrator/gantry/model"
)

// What one user may have: who renews, logs in or makes tokens in a loop gets
// no further.
const (
	maxCertificates = 32
	maxTokens       = 128
	maxLabel        = 128
)

func tokenKey(hash string) Key { return Key{tables.Token, "", hash} }

func agentKey(uuid string) Key { return Key{tables.Agent, "", uuid} }

func (o SetUser) summary() string { return "set user " + string(o.Name) }

func (o SetUser) apply(w *writer) error {
	if _, err := model.ParseUserName(string(o.Name)); err != nil {
		return err
	}
	had := w.administered()
	u, _ := w.User(o.Name)
	u.Name, u.Superuser, u.AddModels, u.Disabled = o.Name, o.Superuser, o.AddModels, o.Disabled
	for _, c := range o.Certificates {
		u = u.with(c, time.Time{}, w.head.Now)
	}
	put(w, &w.users, u)
	return w.stillAdministered(had)
}

// administered reports whether the controller has an administrator.
func (w *writer) administered() bool {
	return slices.ContainsFunc(w.Users(), func(u User) bool { return u.Superuser && !u.Disabled })
}

// stillAdministered refuses to take the last administrator away.
func (w *writer) stillAdministered(had bool) error {
	if !had || w.administered() {
		return nil
	}
	return fmt.Errorf("no administrator of the controller would be left: make another user one first: %w", model.ErrConflict)
}

func (o Revoke) summary() string {
	switch {
	case len(o.Certificates) > 0:
		return fmt.Sprintf("revoke %d certificates of %s", len(o.Certificates), o.User)
	case len(o.Tokens) > 0:
		return fmt.Sprintf("revoke %d tokens of %s", len(o.Tokens), o.User)
	default:
		return "remove user " + string(o.User)
	}
}

func (o Revoke) apply(w *writer) error {
	u, ok := w.User(o.User)
	if !ok {
		return fmt.Errorf("user %q: %w", o.User, model.ErrNotFound)
	}
	for _, hash := range o.Tokens {
		if t, ok := w.Token(hash); !ok || t.User != o.User {
			return fmt.Errorf("user %s has no such token: %w", o.User, model.ErrNotFound)
		}
		remove(w, &w.tokens, tokenKey(hash))
	}
	if len(o.Certificates) > 0 {
		put(w, &w.users, u.without(func(c string) bool { return slices.Contains(o.Certificates, c) }))
	}
	if len(o.Tokens)+len(o.Certificates) > 0 {
		return nil
	}
	had := w.administered()
	for _, t := range w.TokensOf(o.User) {
		remove(w, &w.tokens, tokenKey(t.Hash))
	}
	for _, m := range w.Models() {
		remove(w, &w.accesses, Key{tables.Access, m.Name, string(o.User)})
	}
	remove(w, &w.users, u.Key())
	return w.stillAdministered(had)
}

func (o SetAccess) summary() string {
	return fmt.Sprintf("give %s access %q to %s", o.User, o.Level, o.Model)
}

func (o SetAccess) apply(w *writer) error {
	if _, err := w.living(o.Model); err != nil {
		return err
	}
	if _, ok := w.User(o.User); !ok {
		return fmt.Errorf("user %q: %w", o.User, model.ErrNotFound)
	}
	switch o.Level {
	case "":
		remove(w, &w.accesses, Key{tables.Access, o.Model, string(o.User)})
	case model.ReadAccess, model.WriteAccess, model.AdminAccess:
		put(w, &w.accesses, Access{User: o.User, Model: o.Model, Level: o.Level})
	default:
		return fmt.Errorf("access %q: expected read, write, admin or none: %w", o.Level, model.ErrInvalid)
	}
	return nil
}

func (o AddToken) summary() string {
	if o.ID != "" {
		return fmt.Sprintf("add a token of %s for model %s", o.User, o.Model)
	}
	return "add a joining token"
}

// apply also drops the tokens that nobody spent in time.
func (o AddToken) apply(w *writer) error {
	if err := plain("token hash", o.Hash); err != nil {
		return err
	}
	for _, t := range w.tokens.under(nil) {
		if w.head.Now.After(t.Expires) {
			remove(w, &w.tokens, tokenKey(t.Hash))
		}
	}
	if _, exists := w.Token(o.Hash); exists {
		return fmt.Errorf("token: it is known already: %w", model.ErrConflict)
	}
	if err := o.check(w); err != nil {
		return err
	}
	put(w, &w.tokens, Token{
		Hash: o.Hash, Machine: o.Machine, User: o.User, Host: o.Host, Expires: o.Expires.UTC(),
		ID: o.ID, Label: o.Label, Model: o.Model, Level: o.Level,
	})
	return nil
}

// check refuses a user's token that is for nobody or for nothing, or one too
// many.
func (o AddToken) check(w *writer) error {
	if o.User == "" {
		return nil
	}
	if _, ok := w.User(o.User); !ok {
		return fmt.Errorf("user %q: %w", o.User, model.ErrNotFound)
	}
	if held := len(w.TokensOf(o.User)); held >= maxTokens {
		return fmt.Errorf("user %s has %d tokens: revoke some first: %w", o.User, held, model.ErrConflict)
	}
	if o.ID == "" {
		return nil
	}
	if len(o.Label) > maxLabel {
		return fmt.Errorf("label of a token: over %d characters: %w", maxLabel, model.ErrInvalid)
	}
	if o.Level == "" || !model.AdminAccess.Includes(o.Level) {
		return fmt.Errorf("access %q of a token: expected read, write or admin: %w", o.Level, model.ErrInvalid)
	}
	_, err := w.living(o.Model)
	return err
}

func (o RedeemToken) summary() string { return "join with a token" }

// apply answers alike for a token that is unknown, spent, expired or meant for
// another: who guesses learns nothing.
func (o RedeemToken) apply(w *writer) error {
	t, ok := w.Token(o.Hash)
	if !ok || t.ID != "" || w.head.Now.After(t.Expires) || t.Machine != "" && t.Machine != o.Machine {
		return fmt.Errorf("join: the token is not valid: ask for another: %w", model.ErrDenied)
	}
	if err := plain("certificate", o.Certificate); err != nil {
		return err
	}
	remove(w, &w.tokens, tokenKey(o.Hash))
	if t.User != "" {
		u, ok := w.User(t.User)
		if !ok || u.Disabled {
			return fmt.Errorf("join: user %s: %w", t.User, model.ErrDenied)
		}
		return w.certify(u, o.Certificate, o.Until)
	}
	if err := plain("machine UUID", o.Machine); err != nil {
		return err
	}
	if m, ok := w.MachineByUUID(o.Machine); ok {
		if err := unfenced(m); err != nil {
			return err
		}
	}
	put(w, &w.agents, Agent{Machine: o.Machine, Certificate: o.Certificate, Host: t.Host})
	return nil
}

// certify lets another certificate speak for a user.
func (w *writer) certify(u User, certificate string, until time.Time) error {
	u = u.with(certificate, until, w.head.Now)
	if len(u.Certificates) > maxCertificates {
		return fmt.Errorf("user %s has %d certificates: end some with gantry logout or gantry register-user --revoke: %w", u.Name, maxCertificates, model.ErrConflict)
	}
	put(w, &w.users, u)
	return nil
}

func (o RenewCertificate) summary() string { return "renew a certificate" }

func (o RenewCertificate) apply(w *writer) error {
	if err := plain("certificate", o.Was, o.Certificate); err != nil {
		return err
	}
	ends := w.head.Now.Add(o.Overlap)
	if o.Agent == "" {
		u, ok := w.UserOf(o.Was)
		if !ok || u.Disabled || !u.Speaks(o.Was, w.head.Now) {
			return fmt.Errorf("renew: the certificate speaks for nobody: log in again: %w", model.ErrDenied)
		}
		if until, has := u.Until[o.Was]; !has || ends.Before(until) {
			u = u.with(o.Was, ends, w.head.Now)
		}
		return w.certify(u, o.Certificate, o.Until)
	}
	a, ok := w.Agent(o.Agent)
	if !ok || !a.Speaks(o.Was, w.head.Now) {
		return fmt.Errorf("renew: the certificate does not speak for %s: %w", o.Agent, model.ErrDenied)
	}
	// Asked again with the old one, as after a lost answer, its time does not
	// begin anew.
	if o.Was == a.Certificate {
		a.Was, a.Until = o.Was, ends
	}
	a.Certificate = o.Certificate
	put(w, &w.agents, a)
	return nil
}
