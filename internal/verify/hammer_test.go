package verify_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// state is what was last acknowledged of one token. Its one writer sets it after each acknowledgement, and clears it
// before each change that could make it untrue.
type state struct {
	value atomic.Pointer[string]           // in force; nil while it is being changed
	want  atomic.Pointer[counterfoil.Code] // nil while a change is under way
	dead  sync.Map                         // values whose end was acknowledged
}

// TestHammer has many checks at once while every token is edited, paused, resumed and rotated again and again and at last
// revoked, and the rules and the owner above them change: what is acknowledged holds for every check that begins later.
func TestHammer(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		// Few places, so that records also give way to each other.
		in := start(t, c, func(c *verify.Config) { c.CacheTokens = 1 })
		o := in.organization()
		const tokens, rounds, checkers = 6, 3, 6
		states := make([]*state, tokens)
		var writers, readers sync.WaitGroup
		name := func(i int) string { return fmt.Sprintf("token %d", i) }
		for i := range states {
			o.make(name(i), counterfoil.Draft{Kind: counterfoil.KindOrganization, Permissions: both})
		}
		for i := range states {
			name := name(i)
			states[i] = &state{}
			states[i].acknowledge(o.tokens[name].Secret, counterfoil.CodeOK)
			writers.Go(func() { o.mistreat(name, states[i], rounds) })
		}
		shared := &state{} // ann's token, which changes with the rules and her rights
		shared.acknowledge(o.tokens["ann"].Secret, counterfoil.CodeOK)
		writers.Go(func() { o.mistreatAbove(shared, rounds) })

		all := append(states[:tokens:tokens], shared)
		done := make(chan struct{})
		var checks atomic.Int64
		for range checkers {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					for _, s := range all {
						s.check(o)
						checks.Add(1)
					}
				}
			})
		}
		writers.Wait()
		close(done)
		readers.Wait()
		for i, s := range states {
			if want := s.want.Load(); want == nil || *want != revoked {
				t.Errorf("token %d ends as %v", i, want)
			}
			s.check(o)
		}
		o.compare("at the end")
		if checks.Load() < 100 {
			t.Errorf("only %d checks", checks.Load())
		}
	})
}

func (s *state) acknowledge(value string, want counterfoil.Code) {
	s.value.Store(&value)
	s.want.Store(&want)
}

func (s *state) change() { s.want.Store(nil) }

// check holds an answer to what was acknowledged before the question and still is after the answer.
func (s *state) check(o *organization) {
	before, value := s.want.Load(), s.value.Load()
	r, err := o.Verify(context.Background(), &verify.Request{Token: *value, Attempt: reading()})
	if err != nil {
		o.Errorf("checking: %v", err)
		return
	}
	if before != nil && s.want.Load() == before && r.Code != *before {
		o.Errorf("the check says %s, acknowledged was %s", r.Code, *before)
	}
	s.dead.Range(func(dead, _ any) bool {
		if r, err := o.Verify(context.Background(), &verify.Request{Token: dead.(string), Attempt: reading()}); err != nil || r.Active() {
			o.Errorf("a value that was rotated away is %s (%v)", r.Code, err)
		}
		return false // any one will do
	})
}

// mistreat changes one token again and again and revokes it.
func (o *organization) mistreat(name string, s *state, rounds int) {
	value := o.tokens[name].Secret
	step := func(narrow func(*organization) error, want counterfoil.Code) {
		s.change()
		if err := narrow(o); err != nil {
			o.Errorf("%s: %v", name, err)
		}
		s.acknowledge(value, want)
	}
	for range rounds {
		step(edit(name, counterfoil.Edit{Paused: ptr(true)}), paused)
		step(edit(name, counterfoil.Edit{Paused: ptr(false)}), counterfoil.CodeOK)
		step(edit(name, counterfoil.Edit{Permissions: &[]string{}}), missing)
		step(edit(name, counterfoil.Edit{Permissions: &both}), counterfoil.CodeOK)
		step(func(o *organization) error {
			made, err := o.rotated(name, 0)
			old := value
			value = made.Secret
			s.value.Store(&value)
			s.dead.Store(old, true)
			return err
		}, counterfoil.CodeOK)
	}
	step(revoke(name), revoked)
}

// mistreatAbove changes what stands above ann's token.
func (o *organization) mistreatAbove(s *state, rounds int) {
	value := o.tokens["ann"].Secret
	for range rounds {
		for _, c := range []struct {
			change func(*organization) error
			want   counterfoil.Code
		}{
			{member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberSuspended)}), inactive},
			{member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberActive)}), counterfoil.CodeOK},
			{policy(counterfoil.KindPersonal, disallow), disabled},
			{policy(counterfoil.KindPersonal, asNew), counterfoil.CodeOK},
			{filterRules("deny all"), wrongIP},
			{filterRules("allow 10.0.0.0/8"), counterfoil.CodeOK},
			{role("devices:write"), missing},
			{role(both...), counterfoil.CodeOK},
		} {
			s.change()
			if err := c.change(o); err != nil {
				o.Errorf("above: %v", err)
			}
			s.acknowledge(value, c.want)
		}
	}
}

// TestNewTokensWorkAtOnce checks each of many tokens, made side by side, as soon as it is acknowledged.
func TestNewTokensWorkAtOnce(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		o := start(t, c, nil).organization()
		var makers sync.WaitGroup
		for i := range 8 {
			makers.Go(func() {
				for j := range 5 {
					made, err := o.registry.CreateToken(context.Background(), registry.Operator(), o.id, counterfoil.Draft{
						Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("%d-%d", i, j), Permissions: both})
					if err != nil {
						o.Error(err)
						return
					}
					o.wants(made.Secret, reading(), counterfoil.CodeOK)
				}
			})
		}
		makers.Wait()
	})
}
