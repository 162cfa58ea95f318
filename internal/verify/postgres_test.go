package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// TestDatabaseAway stops PostgreSQL under a warm cache. From the moment that the server's lease has run out there is no
// verdict at all; when the database is back, neither is anything lost.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	in := start(t, store.Config{DatabaseURL: server.URL()}, nil)
	o := in.organization()
	o.warm(o.Verifier)
	o.must(o.revoke("bob"))
	unknown := secret.Mint("cfl", secret.Personal).Reveal()

	o.must(server.Stop())
	expected := map[string]counterfoil.Code{"ann": counterfoil.CodeOK, "bob": revoked, "system": counterfoil.CodeOK}
	eventually(t, "the cache is not trusted any more", func() bool {
		_, alive := o.Store.Alive()
		for token, want := range expected {
			r, err := o.Verify(context.Background(), &verify.Request{Token: o.tokens[token].Secret, Attempt: o.use(token)})
			switch {
			case err == nil && !alive:
				t.Fatalf("a server that cannot know says %s of the token of %s", r.Code, token)
			case err == nil && r.Code != want:
				t.Fatalf("while the database is away the token of %s is %s", token, r.Code)
			case err != nil && (!isUnavailable(err) || r.Proven() || r.Code != ""):
				t.Fatalf("%v, with %s", err, r.Code)
			}
		}
		return !alive
	})
	for _, value := range []string{unknown, o.tokens["ann"].Secret, o.tokens["bob"].Secret} {
		if r, err := o.Verify(context.Background(), &verify.Request{Token: value, Attempt: reading()}); !isUnavailable(err) || r.Active() {
			t.Errorf("without a database the check says %q, %v", r.Code, err)
		}
		if r, err := o.Find(context.Background(), value); !isUnavailable(err) || r.Proven() {
			t.Errorf("without a database Find says %q, %v", r.Code, err)
		}
	}
	if code := check(t, o.Verifier, "nonsense", reading()); code != counterfoil.CodeInvalidToken {
		t.Errorf("a string that no instance minted is %s", code)
	}

	o.must(server.Restart())
	eventually(t, "the cache is trusted again", func() bool {
		_, alive := o.Store.Alive()
		return alive
	})
	o.wants(o.tokens["ann"].Secret, reading(), counterfoil.CodeOK)
	o.wants(o.tokens["bob"].Secret, reading(), revoked)
	o.wants(unknown, reading(), counterfoil.CodeInvalidToken)
}

// TestStrict changes records behind the server's back: a check that is strict goes by the database alone, as one state, and
// changes nothing of what is in memory.
func TestStrict(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		in := start(t, c, nil)
		o := in.organization()
		o.warm(o.Verifier)
		strict := func(token string) counterfoil.Code {
			t.Helper()
			r, err := o.Verify(t.Context(), &verify.Request{Token: o.tokens[token].Secret, Attempt: o.use(token), Strict: true})
			o.must(err)
			return r.Code
		}
		for _, token := range kinds {
			if code := strict(token); code != counterfoil.CodeOK {
				t.Errorf("of %s a strict check says %s", token, code)
			}
		}
		o.must(o.Store.Update(t.Context(), o.id, store.ForRules, func(tx *store.Tx) error {
			bob, _, err := tx.TokenForUpdate(o.tokens["bob"].Token.ID)
			if err != nil {
				return err
			}
			bob.RevokedAt = tx.Now()
			p := counterfoil.DefaultPolicy(counterfoil.KindIntegration)
			p.Allowed = false
			m, _, err := tx.Member(o.ann.ID)
			if err != nil {
				return err
			}
			m.Status = counterfoil.MemberSuspended
			text, _, err := tx.Setting("catalogue")
			return errors.Join(err, tx.UpdateToken(bob), tx.UpdatePolicy(p), tx.UpdateMember(m.Member),
				tx.SetSetting("catalogue", strings.ReplaceAll(text, "devices:read", "devices:gone")))
		}))
		for token, want := range map[string]counterfoil.Code{"bob": revoked, "ann": inactive, "integration": disabled, "organization": missing, "system": missing} {
			if code := strict(token); code != want {
				t.Errorf("of %s a strict check says %s, want %s", token, code, want)
			}
			o.wants(o.tokens[token].Secret, o.use(token), counterfoil.CodeOK)
		}
	})
}

// TestDatabaseLostDuringCheck loses the database while a check has its token from there and is about to take the rules
// from memory, which may be out of date by then.
func TestDatabaseLostDuringCheck(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	in := start(t, store.Config{DatabaseURL: server.URL()}, nil)
	o := in.organization()
	o.warm(o.Verifier)
	o.must(edit("organization", counterfoil.Edit{Name: ptr("forgotten")})(o)) // the rules stay in memory
	g := o.hold("token", "organization")
	o.must(server.Stop())
	eventually(t, "the cache is not trusted any more", func() bool {
		_, alive := o.Store.Alive()
		return !alive
	})
	close(g.goOn)
	if err := <-g.failedCheck; !isUnavailable(err) {
		t.Errorf("the check that was under way says %s, %v", <-g.verdict, err)
	}
}

// TestAnotherLog changes records behind the server's back together with the log that it has followed, as a standby does
// that takes over and lacks the end: what was remembered before must not be used in the new epoch.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	url := postgrestest.NewDatabase(t)
	in := start(t, store.Config{DatabaseURL: url}, nil)
	o := in.organization()
	eventually(t, "the log is followed to its end", func() bool {
		last, err := o.Store.LastEvent(t.Context())
		return err == nil && o.Store.Standing().Applied == last
	})
	o.warm(o.Verifier)
	before, _ := o.Store.Alive()

	conn, err := pgx.Connect(t.Context(), url)
	o.must(err)
	defer conn.Close(context.Background())
	run := func(sql string, args ...any) {
		t.Helper()
		if tag, err := conn.Exec(t.Context(), sql, args...); err != nil || tag.RowsAffected() != 1 {
			t.Fatalf("%s: %v %v", sql, tag, err)
		}
	}
	run("UPDATE tokens SET revoked_at = 1 WHERE id = $1", o.tokens["bob"].Token.ID)
	run("UPDATE members SET status = 'suspended' WHERE id = $1", o.ann.ID)
	run("UPDATE policies SET allowed = 0 WHERE organization = $1 AND kind = 'integration'", o.id)
	run("UPDATE organizations SET version = version + 1 WHERE id = $1", o.id)
	run("UPDATE instance SET value = replace(value, 'devices:read', 'devices:gone') WHERE name = 'catalogue'")
	o.wants(o.tokens["bob"].Secret, reading(), counterfoil.CodeOK) // else the rest proves nothing
	run("UPDATE events SET hash = 'another' WHERE seq = (SELECT MAX(seq) FROM events)")
	run(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7265002
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	eventually(t, "a new epoch", func() bool {
		epoch, alive := o.Store.Alive()
		return alive && epoch != before
	})
	for token, want := range map[string]counterfoil.Code{"bob": revoked, "ann": inactive, "integration": disabled, "organization": missing, "system": missing} {
		o.wants(o.tokens[token].Secret, o.use(token), want)
	}
	a := reading()
	a.Permissions = []string{"devices:write"}
	o.wants(o.tokens["organization"].Secret, a, counterfoil.CodeOK)
	o.compare("in the new epoch")

	o.apply(wholeCatalogue) // what is applied here is in force here, whatever was read from the database meanwhile
	o.wants(o.tokens["organization"].Secret, reading(), counterfoil.CodeOK)
}
