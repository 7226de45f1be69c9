package state

import (
	"fmt"
	"slices"

	"github.com/gantry-orchestrator/gantry/model"
)

func tokenKey(hash string) Key { return Key{tokenTable, "", hash} }

func agentKey(uuid string) Key { return Key{agentTable, "", uuid} }

func (o SetUser) summary() string { return "set user " + string(o.Name) }

func (o SetUser) apply(w *writer) error {
	if _, err := model.ParseUserName(string(o.Name)); err != nil {
		return err
	}
	put(w, &w.users, User{Name: o.Name, Superuser: o.Superuser, Certificates: o.Certificates, Disabled: o.Disabled})
	return nil
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
		remove(w, &w.accesses, Key{accessTable, o.Model, string(o.User)})
	case ReadAccess, WriteAccess, AdminAccess:
		put(w, &w.accesses, Access{User: o.User, Model: o.Model, Level: o.Level})
	default:
		return fmt.Errorf("access %q: expected read, write, admin or none: %w", o.Level, model.ErrInvalid)
	}
	return nil
}

func (o AddToken) summary() string { return "add a joining token" }

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
	put(w, &w.tokens, Token{Hash: o.Hash, Machine: o.Machine, User: o.User, Host: o.Host, Expires: o.Expires})
	return nil
}

func (o RedeemToken) summary() string { return "join with a token" }

// apply answers alike for a token that is unknown, spent, expired or meant for
// another: who guesses learns nothing.
func (o RedeemToken) apply(w *writer) error {
	t, ok := w.Token(o.Hash)
	if !ok || w.head.Now.After(t.Expires) || t.Machine != "" && t.Machine != o.Machine {
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
		u.Certificates = append(slices.Clone(u.Certificates), o.Certificate)
		put(w, &w.users, u)
		return nil
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
