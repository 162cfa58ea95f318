package verify_test

import (
	"context"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// gate holds back the first check that has read what it waits for, until the test lets it go on.
type gate struct {
	what        string
	read, goOn  chan struct{}
	held        bool
	verdict     chan counterfoil.Code
	failedCheck chan error
}

// hold makes the first reading of what ("token", "rules", "owner") wait, in a check that begins now.
func (o *organization) hold(what, token string) *gate {
	g := &gate{what: what, read: make(chan struct{}), goOn: make(chan struct{}), verdict: make(chan counterfoil.Code, 1), failedCheck: make(chan error, 1)}
	o.OnRead(func(now string) {
		if now == g.what && !g.held { // only the held check runs until goOn
			g.held = true
			close(g.read)
			<-g.goOn
		}
	})
	value, a := o.tokens[token].Secret, o.use(token)
	go func() {
		r, err := o.Verify(context.Background(), &verify.Request{Token: value, Attempt: a})
		g.failedCheck <- err
		g.verdict <- r.Code
	}()
	<-g.read
	return g
}

// TestLateFillPutsNothingBack holds a check that has read the old state, makes a change that is acknowledged, and lets the
// check go on: it may still answer by what it read, but it must leave nothing of it behind.
func TestLateFillPutsNothingBack(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		in := start(t, c, nil)
		for _, c := range []struct {
			what, name, token string
			narrow            func(*organization) error
			want              counterfoil.Code
		}{
			{"token", "revoked", "organization", revoke("organization"), revoked},
			{"token", "paused", "ann", edit("ann", counterfoil.Edit{Paused: ptr(true)}), paused},
			{"token", "rotated", "system", rotateUnseen("system"), revoked},
			{"rules", "policy", "organization", policy(counterfoil.KindOrganization, disallow), disabled},
			{"rules", "filter", "ann", filterRules("deny all"), wrongIP},
			{"rules", "role", "ann", role(), missing},
			{"rules", "suspended", "integration", status(counterfoil.OrgSuspended), suspended},
			{"rules", "catalogue", "organization", apply("devices:read", "devices:gone"), missing},
			{"owner", "suspended", "ann", member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberSuspended)}), inactive},
			{"owner", "roles", "ann", member(counterfoil.MemberEdit{Roles: &[]string{}}), missing},
			{"owner", "role, which the rules hold", "ann", role(), missing},
		} {
			t.Run(c.what+"/"+c.name, func(t *testing.T) {
				defer in.borrow(t)()
				in.OnRead(nil)
				in.apply(wholeCatalogue)
				o := in.organization()
				in.Purge()
				g := o.hold(c.what, c.token)
				o.must(c.narrow(o))
				close(g.goOn)
				o.must(<-g.failedCheck)
				if code := <-g.verdict; code != counterfoil.CodeOK && code != c.want {
					t.Errorf("the check that was under way says %s", code)
				}
				o.wants(o.tokens[c.token].Secret, o.use(c.token), c.want)
				o.compare("after a late fill")
			})
		}
	})
}

// rotateUnseen does not check the new value: that would fill the cache again.
func rotateUnseen(token string) func(*organization) error {
	return func(o *organization) error {
		_, err := o.rotated(token, 0)
		return err
	}
}

// TestLateFillAfterPurge is the same for another epoch: what was read before it began is not remembered.
func TestLateFillAfterPurge(t *testing.T) {
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	for _, what := range []string{"token", "rules", "owner"} {
		in.OnRead(nil)
		o := in.organization()
		in.Purge()
		g := o.hold(what, "ann")
		in.Purge()
		close(g.goOn)
		o.must(<-g.failedCheck)
		asked := false
		in.OnRead(func(now string) { asked = asked || now == what })
		o.wants(o.tokens["ann"].Secret, o.use("ann"), counterfoil.CodeOK)
		if !asked {
			t.Errorf("the %s that was read before Purge was remembered after it", what)
		}
	}
}

// TestLateCatalogue applies a catalogue while another epoch begins, which has read the one before.
func TestLateCatalogue(t *testing.T) {
	o := start(t, store.Config{Dir: t.TempDir()}, nil).organization()
	reads := 0
	o.OnRead(func(what string) {
		if reads++; reads == 1 {
			o.must(apply("devices:read", "devices:gone")(o))
		}
	})
	o.must(o.RenewCatalogue(context.Background()))
	o.wants(o.tokens["organization"].Secret, reading(), missing)
	if reads < 2 {
		t.Error("what was read first was believed")
	}
	o.OnRead(nil)
	inForce := o.config.Rules.InForce.Catalogue()
	o.must(o.RenewCatalogue(context.Background()))
	if o.config.Rules.InForce.Catalogue() != inForce {
		t.Error("the same catalogue was put in force again: every rule would be compiled anew at each check")
	}
}
