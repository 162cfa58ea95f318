package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Versions do not compare once a backup was restored: a value that was rotated away stays dead under a later backup in which
// the token was edited more often, and where it is edited before another node's ledger is replayed.
func TestRestoreOfMoreVersions(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	made, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "rotated"})
	must(t, err)
	backup := func() []byte {
		t.Helper()
		in.stop(syscall.SIGTERM)
		text, err := os.ReadFile(database)
		must(t, err)
		in.start()
		return text
	}
	edit := func() {
		t.Helper()
		for _, name := range []string{"a", "b", "c"} {
			_, err := system.EditToken(ctx, in.Organization.ID, made.Token.ID, counterfoil.Edit{Name: &name})
			must(t, err)
		}
	}
	isDead := func(when string) {
		t.Helper()
		if v, err := system.Verify(ctx, counterfoil.Question{Token: made.Secret}); err != nil || v.Active {
			t.Errorf("%s, the value that was rotated away is good again (%v)", when, err)
		}
	}
	monday := backup()
	edit()
	tuesday := backup()
	in.stop(syscall.SIGTERM)
	putBack(t, database, monday)
	in.start()
	_, err = system.RotateToken(ctx, in.Organization.ID, made.Token.ID, 0)
	must(t, err)
	in.stop(syscall.SIGTERM)
	putBack(t, database, tuesday)
	in.start()
	isDead("after the other backup")

	in.stop(syscall.SIGTERM)
	putBack(t, database, monday)
	must(t, os.Rename(ledger, ledger+".b"))
	in.start() // a node whose ledger does not know
	edit()
	in.stop(syscall.SIGTERM)
	must(t, os.Rename(ledger+".b", ledger))
	in.start()
	isDead("after edits before the other node's ledger was replayed")
}

// A revocation is in the ledger once it was answered, also where it was answered the second time alone; and one in an organization
// that was deleted keeps no server from starting.
func TestRestoreOfWhatWasAnsweredAgain(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	elsewhere, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: "Elsewhere"})
	must(t, err)
	create := func(org string) counterfoil.Created {
		t.Helper()
		made, err := system.CreateToken(ctx, org, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "x"})
		must(t, err)
		return made
	}
	revoked, finished, gone := create(in.Organization.ID), create(in.Organization.ID), create(elsewhere.ID)
	_, err = system.RotateToken(ctx, in.Organization.ID, finished.Token.ID, 24*time.Hour)
	must(t, err)
	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	before, err := os.ReadFile(ledger)
	must(t, err)
	end := func() {
		t.Helper()
		_, err := system.RevokeToken(ctx, in.Organization.ID, revoked.Token.ID, "")
		must(t, err)
		_, err = system.EndPreviousValue(ctx, in.Organization.ID, finished.Token.ID, 0)
		must(t, err)
	}
	in.start()
	end()
	in.stop(syscall.SIGKILL)
	must(t, os.WriteFile(ledger, before, 0o600)) // as if killed between the commit and the ledger
	in.start()
	end()
	_, err = system.RevokeToken(ctx, elsewhere.ID, gone.Token.ID, "")
	must(t, err)
	must(t, system.DeleteOrganization(ctx, elsewhere.ID))
	in.stop(syscall.SIGTERM)
	putBack(t, database, backup)
	in.start()
	for what, value := range map[string]string{"revoked": revoked.Secret, "finished": finished.Secret, "of a deleted organization": gone.Secret} {
		if v, err := system.Verify(ctx, counterfoil.Question{Token: value}); err != nil || v.Active {
			t.Errorf("%s: good again (%v)", what, err)
		}
	}
}

// However much the database knows of what was written to the ledger later, such as tokens that are revoked again and again, what it
// does not know is ended.
func TestRestoreBehindWhatIsKnown(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	database := filepath.Join(in.dir, "counterfoil.db")
	var made []counterfoil.Created
	for range 1001 {
		m, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "x"})
		must(t, err)
		made = append(made, m)
	}
	revoke := func(list []counterfoil.Created) {
		t.Helper()
		for _, m := range list {
			_, err := system.RevokeToken(ctx, in.Organization.ID, m.Token.ID, "")
			must(t, err)
		}
	}
	revoke(made[1:])
	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	in.start()
	revoke(made)
	in.stop(syscall.SIGTERM)
	putBack(t, database, backup)
	in.start()
	if v, err := system.Verify(ctx, counterfoil.Question{Token: made[0].Secret}); err != nil || v.Active {
		t.Errorf("a revoked token is good again (%v)", err)
	}
}
