package operate

import (
	"context"
	"errors"
	"fmt"

	"github.com/gantry-orchestrator/gantry/model"
)

const (
	root     = "root"
	existing = "already exists"
)

// RequirePasswords makes root with its password and has etcd ask everybody
// for theirs.
func (c Cluster) RequirePasswords(ctx context.Context) error {
	token, err := c.token(ctx)
	if err != nil || token != "" {
		return err // it does already
	}
	if err := c.user(ctx, root, c.Password); err != nil {
		return err
	}
	if err := c.role(ctx, root); err != nil {
		return err
	}
	if err := c.grant(ctx, root, root); err != nil {
		return err
	}
	return c.call(ctx, "/v3/auth/enable", struct{}{}, nil)
}

// user makes a user, or gives it this password.
func (c Cluster) user(ctx context.Context, name, password string) error {
	body := map[string]string{"name": name, "password": password}
	err := c.call(ctx, "/v3/auth/user/add", body, nil)
	if says(err, existing) {
		err = c.call(ctx, "/v3/auth/user/changepw", body, nil)
	}
	if err != nil {
		return fmt.Errorf("make user %s: %w", name, err)
	}
	return nil
}

func (c Cluster) role(ctx context.Context, name string) error {
	if err := c.call(ctx, "/v3/auth/role/add", map[string]string{"name": name}, nil); err != nil && !says(err, existing) {
		return fmt.Errorf("make role %s: %w", name, err)
	}
	return nil
}

func (c Cluster) grant(ctx context.Context, user, role string) error {
	if err := c.call(ctx, "/v3/auth/user/grant", map[string]string{"user": user, "role": role}, nil); err != nil {
		return fmt.Errorf("give role %s to user %s: %w", role, user, err)
	}
	return nil
}

// Ensure makes a user of a role of the same name, which reads and writes the
// keys under a prefix and no others.
func (c Cluster) Ensure(ctx context.Context, user, password, prefix string) error {
	// A role that is made anew has lost what an earlier prefix gave it.
	if err := c.remove(ctx, "role", user); err != nil {
		return err
	}
	if err := c.user(ctx, user, password); err != nil {
		return err
	}
	if err := c.role(ctx, user); err != nil {
		return err
	}
	permission := map[string]any{"permType": "READWRITE", "key": []byte(prefix), "range_end": after(prefix)}
	if err := c.call(ctx, "/v3/auth/role/grant", map[string]any{"name": user, "perm": permission}, nil); err != nil {
		return fmt.Errorf("let role %s reach %s: %w", user, prefix, err)
	}
	return c.grant(ctx, user, user)
}

// after is the first key that does not begin with a prefix.
func after(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0} // all keys that follow
}

// Drop removes a user and its role.
func (c Cluster) Drop(ctx context.Context, user string) error {
	return errors.Join(c.remove(ctx, "user", user), c.remove(ctx, "role", user))
}

func (c Cluster) remove(ctx context.Context, kind, name string) error {
	body := map[string]string{"name": name, "role": name}
	err := c.call(ctx, "/v3/auth/"+kind+"/delete", body, nil)
	if err == nil || errors.Is(err, model.ErrNotFound) || says(err, "not found") {
		return nil
	}
	return fmt.Errorf("drop %s %s: %w", kind, name, err)
}
