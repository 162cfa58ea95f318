package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// remembered is what a client knows of a token: what was acknowledged, and what may have happened besides.
type remembered struct {
	id      string
	value   string   // "": a rotation had no answer, so nobody knows it
	dead    []string // values that were replaced for certain
	doubted string   // the value before a rotation that had no answer: honoured until somebody sees that it is not
	names   []string // one of these; exactly one once an edit was acknowledged
	writes  []bool   // whether it holds devices:write: one of these
	revoked bool     // acknowledged, or seen
	ending  bool     // a revocation had no answer

	acknowledged, unknown map[string]int // by the action of their event
}

// writer is one client with tokens of its own, which nobody else changes.
type writer struct {
	t       testing.TB
	in      *instance
	api     *client.Client
	name    string
	random  *rand.Rand
	tokens  []*remembered
	touched []*remembered // since the last kill
	n       int

	acknowledged tally
}

var narrow, wide = []string{"devices:read"}, []string{"devices:read", "devices:write"}

// write makes one change, and reports whether the server still answers.
func (w *writer) write(ctx context.Context) bool {
	if w.api == nil {
		w.api = w.in.system()
	}
	m := w.any()
	var err error
	switch what := w.random.IntN(10); {
	case m == nil || what < 3:
		err = w.create(ctx)
	case what < 5:
		err = w.rename(ctx, m)
	case what < 6:
		err = w.regrant(ctx, m)
	case what < 7:
		err = w.rotate(ctx, m)
	case what < 9:
		err = w.revoke(ctx, m)
	default:
		w.recall(ctx, w.some(5))
	}
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status != 503 {
		w.t.Errorf("%s: %v", w.name, err)
	}
	return err == nil && ctx.Err() == nil && !w.t.Failed() && w.alive()
}

func (w *writer) alive() bool { return !w.in.dying.Load() }

// any picks a token of which everything is known.
func (w *writer) any() *remembered {
	for range 10 {
		if len(w.tokens) == 0 {
			return nil
		}
		if m := w.tokens[w.random.IntN(len(w.tokens))]; !m.revoked && !m.ending && m.value != "" {
			w.touched = append(w.touched, m)
			return m
		}
	}
	return nil
}

func (w *writer) some(n int) (list []*remembered) {
	for range min(n, len(w.tokens)) {
		list = append(list, w.tokens[w.random.IntN(len(w.tokens))])
	}
	return list
}

// count notes the outcome of a change.
func (w *writer) count(m *remembered, action string, n *int, err error) error {
	if err != nil {
		w.acknowledged.unknown++
		m.unknown[action]++
		return err
	}
	*n++
	m.acknowledged[action]++
	return nil
}

func (w *writer) create(ctx context.Context) error {
	w.n++
	name := fmt.Sprintf("%s %d", w.name, w.n)
	made, err := w.api.CreateToken(ctx, w.in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name, Permissions: narrow})
	m := &remembered{id: made.Token.ID, value: made.Secret, names: []string{name}, writes: []bool{false}, acknowledged: map[string]int{}, unknown: map[string]int{}}
	if err == nil {
		w.tokens, w.touched = append(w.tokens, m), append(w.touched, m)
	}
	return w.count(m, "token_created", &w.acknowledged.creates, err)
}

func (w *writer) rename(ctx context.Context, m *remembered) error {
	w.n++
	name := fmt.Sprintf("%s %d", w.name, w.n)
	m.names = append(m.names, name)
	_, err := w.api.EditToken(ctx, w.in.Organization.ID, m.id, counterfoil.Edit{Name: &name})
	if err == nil {
		m.names = []string{name}
	}
	return w.count(m, "token_updated", &w.acknowledged.edits, err)
}

func (w *writer) regrant(ctx context.Context, m *remembered) error {
	grant := !m.writes[len(m.writes)-1]
	permissions := map[bool][]string{false: narrow, true: wide}[grant]
	m.writes = append(m.writes, grant)
	_, err := w.api.EditToken(ctx, w.in.Organization.ID, m.id, counterfoil.Edit{Permissions: &permissions})
	if err == nil {
		m.writes = []bool{grant}
	}
	return w.count(m, "token_updated", &w.acknowledged.edits, err)
}

func (w *writer) rotate(ctx context.Context, m *remembered) error {
	old := m.value
	rotated, err := w.api.RotateToken(ctx, w.in.Organization.ID, m.id, 0)
	if m.value = rotated.Secret; err == nil {
		m.dead = append(m.dead, old)
	} else {
		m.doubted = old
	}
	return w.count(m, "token_rotated", &w.acknowledged.rotations, err)
}

func (w *writer) revoke(ctx context.Context, m *remembered) error {
	m.ending = true
	revoked, err := w.api.RevokeToken(ctx, w.in.Organization.ID, m.id, "lost")
	if m.revoked = err == nil; m.revoked && !revoked.Receipt.Complete {
		w.t.Errorf("%s: the receipt of a revocation is not complete", m.id)
	}
	return w.count(m, "token_revoked", &w.acknowledged.revocations, err)
}

// recall compares what is remembered of tokens with what the server says. A server that is gone says nothing.
func (w *writer) recall(ctx context.Context, list []*remembered) {
	if w.api == nil {
		return
	}
	for _, m := range list {
		shown, err := w.api.Token(ctx, w.in.Organization.ID, m.id)
		if err != nil {
			if w.alive() {
				w.t.Errorf("%s, acknowledged: %v", m.id, err)
			}
			return
		}
		gone := shown.Status == counterfoil.StatusRevoked
		if m.revoked && !gone || gone && !m.ending {
			w.t.Errorf("%s is %s; a revocation was acknowledged: %v, asked for: %v", m.id, shown.Status, m.revoked, m.ending)
		}
		m.revoked = m.revoked || gone
		if !slices.Contains(m.names, shown.Name) || !slices.Contains(m.writes, shown.Permissions.Has("devices:write")) {
			w.t.Errorf("%s is %q with %v; want one of %q, devices:write one of %v", m.id, shown.Name, shown.Permissions, m.names, m.writes)
		}
		m.names, m.writes = []string{shown.Name}, []bool{shown.Permissions.Has("devices:write")}
		if !w.present(ctx, m) {
			return
		}
	}
}

// present uses every value that the token ever had.
func (w *writer) present(ctx context.Context, m *remembered) bool {
	for _, value := range slices.Concat([]string{m.value, m.doubted}, m.dead) {
		if value == "" {
			continue
		}
		v, err := w.api.Verify(ctx, counterfoil.Question{Token: value, Permissions: wide})
		if err != nil {
			if w.alive() {
				w.t.Errorf("checking %s: %v", m.id, err)
			}
			return false
		}
		in := v.Code == counterfoil.CodeOK || v.Code == counterfoil.CodeMissingPermission
		forgotten := v.Code == counterfoil.CodeInvalidToken && slices.Contains(m.dead, value) // by a later rotation
		switch {
		case !in && !forgotten && v.Code != counterfoil.CodeTokenRevoked:
			w.t.Errorf("%s: the verdict is %+v", m.id, v)
		case value == m.doubted && m.value == "":
			if !in {
				m.dead, m.doubted = append(m.dead, value), ""
			}
		case in != (value == m.value && !m.revoked):
			w.t.Errorf("%s: a value is honoured: %v; it is the current one: %v; revoked: %v", m.id, in, value == m.value, m.revoked)
		case in && (v.Code == counterfoil.CodeOK) != m.writes[0]:
			w.t.Errorf("%s: %s, with devices:write %v", m.id, v.Code, m.writes)
		}
	}
	return true
}
