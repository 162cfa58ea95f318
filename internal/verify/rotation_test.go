package verify_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// TestRotation follows a value through its rotations (H4).
func TestRotation(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		in := start(t, c, nil)
		for _, token := range []string{"ann", "organization", "system"} {
			o := in.organization()
			first := o.tokens[token].Secret
			o.wants(first, o.use(token), counterfoil.CodeOK)
			second, err := o.rotated(token, 600)
			o.must(err)
			for value, want := range map[string]counterfoil.Match{first: counterfoil.MatchPrevious, second.Secret: counterfoil.MatchCurrent} {
				r, err := o.Verify(context.Background(), &verify.Request{Token: value, Attempt: o.use(token)})
				if err != nil || !r.Active() || r.Match != want || r.TokenID() != o.tokens[token].Token.ID {
					t.Errorf("in its grace a value of %s is %s, match %d (%v)", token, r.Code, r.Match, err)
				}
			}
			o.later(600*time.Second - time.Microsecond)
			o.wants(first, o.use(token), counterfoil.CodeOK)
			o.later(time.Microsecond)
			o.wants(first, o.use(token), revoked)
			o.wants(second.Secret, o.use(token), counterfoil.CodeOK)

			third, err := o.rotated(token, 600)
			o.must(err)
			o.wants(first, o.use(token), counterfoil.CodeInvalidToken) // one previous value is remembered, not two
			o.wants(second.Secret, o.use(token), counterfoil.CodeOK)
			o.must(o.revoke(token))
			o.wants(second.Secret, o.use(token), revoked)
			o.wants(third.Secret, o.use(token), revoked)
			o.compare("after rotations")
		}
	})
}

// TestInstanceKeys rotates the instance key: digests name the key that they were made with. A server that lacks that key
// cannot know, and says so instead of "invalid".
func TestInstanceKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instance.key")
	keys, err := secret.CreateKeyring(path)
	if err != nil {
		t.Fatal(err)
	}
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	in.must(err)
	o := in.organization()
	lacking := in.config
	lacking.Keys = keys // it has a key 1 too, but another one
	stranger := verify.New(lacking)
	defer stranger.Close()
	if code := check(t, stranger, o.tokens["ann"].Secret, reading()); code != counterfoil.CodeInvalidToken {
		t.Errorf("under another key a token is %s", code)
	}

	lacking.Keys = new(secret.Keyring)
	keyless := verify.New(lacking)
	defer keyless.Close()
	for range 2 { // the second time from memory
		if r, err := keyless.Verify(context.Background(), &verify.Request{Token: o.tokens["ann"].Secret, Attempt: reading()}); err == nil || r.Active() {
			t.Errorf("without its key a token is %s, without an error", r.Code)
		} else if strings.Contains(err.Error(), o.tokens["ann"].Secret) {
			t.Errorf("the error holds the token: %v", err)
		}
	}
	if r, err := keyless.Find(context.Background(), o.tokens["ann"].Secret); err == nil || r.Proven() {
		t.Error("without its key a token is found")
	}
	if code := check(t, keyless, secret.Mint("cfl", secret.Personal).Reveal(), reading()); code != counterfoil.CodeInvalidToken {
		t.Errorf("an unknown token is %s", code)
	}
}

// TestPreviousKey gives a token a previous value under a key that this server has lost: within the grace the server cannot
// know whether a value is that one; later it does not matter.
func TestPreviousKey(t *testing.T) {
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	o := in.organization()
	id := o.tokens["organization"].Token.ID
	until := o.Store.Now().Plus(600)
	old := o.tokens["organization"].Secret
	rotated, err := o.rotated("organization", 600)
	o.must(err)
	o.must(o.Update(context.Background(), o.id, store.ForTokens, func(tx *store.Tx) error {
		stored, _, err := tx.TokenForUpdate(id)
		if err != nil {
			return err
		}
		stored.PreviousKeyID = 200
		return tx.UpdateToken(stored)
	}))
	o.Purge()
	o.wants(rotated.Secret, reading(), counterfoil.CodeOK)
	q := &verify.Request{Token: old, Attempt: reading()}
	if r, err := o.Verify(context.Background(), q); err == nil {
		t.Errorf("within the grace the old value is %s, without an error", r.Code)
	}
	o.clock.Store(int64(until))
	o.wants(old, reading(), counterfoil.CodeInvalidToken)
}

// TestWhoeverAsks covers what a string says of itself before anything of it is proved.
func TestWhoeverAsks(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		in := start(t, c, nil)
		o, other := in.organization(), in.organization()
		mine := o.tokens["organization"].Secret
		forged := secret.Remint("cfl", secret.Organization, strings.TrimPrefix(o.tokens["organization"].Token.ID, "tok_")).Reveal()
		abroad := secret.Mint("cflus", secret.Personal).Reveal()
		for _, c := range []struct {
			name, value, within string
			want                counterfoil.Code
			proven              bool
		}{
			{"own organization", mine, o.id, counterfoil.CodeOK, true},
			{"another organization", mine, other.id, counterfoil.CodeInvalidToken, false},
			{"a system token, for an organization", o.tokens["system"].Secret, o.id, counterfoil.CodeInvalidToken, false},
			{"no such organization", mine, "org_none", counterfoil.CodeInvalidToken, false},
			{"known id, wrong secret", forged, "", counterfoil.CodeInvalidToken, false},
			{"unknown id", secret.Mint("cfl", secret.System).Reveal(), "", counterfoil.CodeInvalidToken, false},
			{"another data centre", abroad, "", counterfoil.CodeWrongDataCenter, false},
			{"another data centre, wrong checksum", abroad[:len(abroad)-1] + "?", "", counterfoil.CodeInvalidToken, false},
			{"nobody's prefix", secret.Mint("none", secret.Personal).Reveal(), "", counterfoil.CodeInvalidToken, false},
			{"cut", mine[:len(mine)-1], "", counterfoil.CodeInvalidToken, false},
			{"longer", mine + "0", "", counterfoil.CodeInvalidToken, false},
			{"empty", "", "", counterfoil.CodeInvalidToken, false},
			{"not text", "\x00\xff", "", counterfoil.CodeInvalidToken, false},
		} {
			r, err := o.Verify(context.Background(), &verify.Request{Token: c.value, Within: c.within, Attempt: reading()})
			if err != nil || r.Code != c.want || r.Proven() != c.proven || r.Reference != "" {
				t.Errorf("%s: %s, proven %t, reference %q, %v", c.name, r.Code, r.Proven(), r.Reference, err)
			}
			if says := strings.Contains(r.Message(), "https://us.example.com"); says != (c.want == counterfoil.CodeWrongDataCenter) {
				t.Errorf("%s: the message is %q", c.name, r.Message())
			}
			if !c.proven {
				isSilent(t, c.name, &r)
			}
			found, err := o.Find(context.Background(), c.value)
			if known := c.value == mine || c.value == o.tokens["system"].Secret; err != nil || found.Proven() != known || found.Active() {
				t.Errorf("%s: found %t, %v", c.name, found.Proven(), err)
			}
		}
	})
}

// isSilent calls what a face may: of a token that is not proven it tells nothing.
func isSilent(t *testing.T, name string, r *verify.Result) {
	t.Helper()
	org, slug := r.Organization()
	owner, email := r.Owner()
	told := r.TokenID() + string(r.AppendTokenID(nil)) + string(r.Kind()) + string(r.Integration()) + r.Name() + org + slug + owner + email + r.OwnerUser()
	if told != "" || len(r.Permissions()) != 0 || r.ExpiresAt() != 0 || !r.RenewedAt().IsZero() {
		t.Errorf("%s: the result tells %q", name, told)
	}
}
