package e2e_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// A backup knows less than what was acknowledged after it. After a restore nothing comes back that had ended: not a
// revoked token, nor a value that was rotated away, nor a provider or its key, nor the tokens of somebody who left, nor those of an organization that
// was deleted. The value that took another's place is good, and so is what had not ended.
func TestRestoreRevivesNothing(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	org, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: "Later deleted"})
	must(t, err)
	member, err := system.AddMember(ctx, in.Organization.ID, counterfoil.MemberDraft{Email: "leaver@acme.example", Name: "Leaver", Roles: []string{"member"}})
	must(t, err)
	active := counterfoil.MemberActive
	_, err = system.EditMember(ctx, in.Organization.ID, member.ID, counterfoil.MemberEdit{Status: &active})
	must(t, err)
	create := func(org string, draft counterfoil.Draft) counterfoil.Created {
		t.Helper()
		created, err := system.CreateToken(ctx, org, draft)
		must(t, err)
		return created
	}
	kept := create(in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "kept"})
	revoked := create(in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "revoked"})
	rotated := create(in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "rotated"})
	finished := create(in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "finished"})
	changed, err := system.RotateToken(ctx, in.Organization.ID, finished.Token.ID, 24*time.Hour)
	must(t, err)
	leaver := create(in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "leaver", Owner: member.ID})
	provider := func(name string) string {
		t.Helper()
		made, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: name, Provider: true})
		must(t, err)
		return made.ID
	}
	stays, gone := provider("Provider that stays"), provider("Provider that goes")
	key, err := system.CreateProviderKey(ctx, counterfoil.ProviderKeyDraft{Name: "billing", Provider: stays})
	must(t, err)
	customer, err := system.CreateManagedOrganization(ctx, counterfoil.ManagedDraft{Name: "Customer of it", Provider: gone})
	must(t, err)
	orphan := create(org.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "orphan"})

	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	in.start()

	_, err = system.RevokeToken(ctx, in.Organization.ID, revoked.Token.ID, "lost")
	must(t, err)
	first, err := system.RotateToken(ctx, in.Organization.ID, rotated.Token.ID, 0)
	must(t, err)
	second, err := system.RotateToken(ctx, in.Organization.ID, rotated.Token.ID, 0)
	must(t, err)
	_, err = system.EndPreviousValue(ctx, in.Organization.ID, finished.Token.ID, 0)
	must(t, err)
	must(t, system.RemoveMember(ctx, in.Organization.ID, member.ID))
	must(t, system.DeleteOrganization(ctx, org.ID))
	must(t, system.RevokeProviderKey(ctx, stays, key.ID))
	must(t, system.DeleteOrganization(ctx, customer.ID))
	must(t, system.DeleteOrganization(ctx, gone))

	restore := func() {
		t.Helper()
		putBack(t, database, backup)
		in.start()
	}
	check := func(name, value string, want bool) {
		t.Helper()
		verdict, err := system.Verify(ctx, counterfoil.Question{Token: value})
		must(t, err)
		if verdict.Active != want {
			t.Errorf("%s: active is %v (%s), want %v", name, verdict.Active, verdict.Code, want)
		}
	}
	checkAll := func() {
		t.Helper()
		check("kept", kept.Secret, true)
		check("revoked", revoked.Secret, false)
		check("the value before the rotations", rotated.Secret, false)
		check("the value between the rotations", first.Secret, false)
		check("the value after the rotations", second.Secret, true)
		check("the value of a rotation that was finished", finished.Secret, false)
		check("the value after it", changed.Secret, true)
		check("of somebody who left", leaver.Secret, false)
		check("of a deleted organization", orphan.Secret, false)
		keys, err := system.ListProviderKeys(ctx, client.ProviderKeyQuery{Provider: stays})
		must(t, err)
		if len(keys.Data) != 1 || keys.Data[0].RevokedAt == nil {
			t.Errorf("a provider's revoked key: %+v", keys.Data)
		}
		for _, org := range []string{customer.ID, gone} {
			if _, err := system.Organization(ctx, org); !errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) {
				t.Errorf("a deleted provider or its customer: %v", err)
			}
		}
	}
	in.stop(syscall.SIGKILL)
	restore()
	checkAll()
	if !strings.Contains(in.logs(), "older than the ledger of revocations") {
		t.Error("the server does not say that it found the database to be older")
	}
	third, err := system.RotateToken(ctx, in.Organization.ID, rotated.Token.ID, 0) // the ledger's newest again
	must(t, err)
	second = third
	in.stop(syscall.SIGKILL)
	in.start()
	checkAll()

	// Without the ledger it would be otherwise: this test can fail.
	in.stop(syscall.SIGTERM)
	must(t, os.Remove(ledger))
	restore()
	check("revoked, without the ledger", revoked.Secret, true)
	if !strings.Contains(in.logs(), "no ledger of revocations") {
		t.Error("the server does not say that the ledger is missing")
	}
}

// Two nodes keep a ledger each. After a restore it is the later of two rotations that counts, whichever node starts first, and
// again and again.
func TestRestoreByTwoLedgers(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	made, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "rotated"})
	must(t, err)
	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	move := func(from, to string) { t.Helper(); must(t, os.Rename(from, to)) }
	rotate := func() string {
		t.Helper()
		for _, name := range []string{"a", "b"} { // each edit is a version
			_, err := system.EditToken(ctx, in.Organization.ID, made.Token.ID, counterfoil.Edit{Name: &name})
			must(t, err)
		}
		rotated, err := system.RotateToken(ctx, in.Organization.ID, made.Token.ID, 0)
		must(t, err)
		return rotated.Secret
	}
	in.start()
	dead := rotate()
	in.stop(syscall.SIGTERM)
	move(ledger, ledger+".b")
	in.start()
	good := rotate()
	in.stop(syscall.SIGTERM)
	move(ledger, ledger+".a")
	putBack(t, database, backup)
	for _, node := range []string{".a", ".b", ".a"} {
		move(ledger+node, ledger)
		in.start()
		for value, want := range map[string]counterfoil.Code{good: counterfoil.CodeOK, dead: counterfoil.CodeTokenRevoked, made.Secret: counterfoil.CodeTokenRevoked} {
			v, err := system.Verify(ctx, counterfoil.Question{Token: value})
			must(t, err)
			if (v.Code == counterfoil.CodeOK) != (want == counterfoil.CodeOK) {
				t.Errorf("after node %s: %s, want %s", node, v.Code, want)
			}
		}
		in.stop(syscall.SIGTERM)
		move(ledger, ledger+node)
	}
}

// Changes that run side by side may write their entries in any order: what ended counts all the same.
func TestRestoreWithEntriesInAnyOrder(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	create := func(name string) counterfoil.Created {
		t.Helper()
		made, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: name})
		must(t, err)
		return made
	}
	finished, revoked := create("finished"), create("revoked")
	rotate := func(made counterfoil.Created) string {
		t.Helper()
		rotated, err := system.RotateToken(ctx, in.Organization.ID, made.Token.ID, 24*time.Hour)
		must(t, err)
		return rotated.Secret
	}
	good, gone := rotate(finished), rotate(revoked)
	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	in.start()
	_, err = system.EndPreviousValue(ctx, in.Organization.ID, finished.Token.ID, 0)
	must(t, err)
	_, err = system.RevokeToken(ctx, in.Organization.ID, revoked.Token.ID, "")
	must(t, err)
	in.stop(syscall.SIGTERM)
	text, err := os.ReadFile(ledger)
	must(t, err)
	lines := strings.Fields(string(text)) // no entry has a space in it
	slices.Reverse(lines)
	must(t, os.WriteFile(ledger, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	putBack(t, database, backup)
	in.start()
	for name, c := range map[string]struct {
		value string
		good  bool
	}{"the value that took the place": {good, true}, "the value that was ended": {finished.Secret, false}, "a revoked token": {gone, false}, "its value before": {revoked.Secret, false}} {
		v, err := system.Verify(ctx, counterfoil.Question{Token: c.value})
		must(t, err)
		if v.Active != c.good {
			t.Errorf("%s is %s", name, v.Code)
		}
	}
}

// putBack makes the database what it was.
func putBack(t *testing.T, database string, backup []byte) {
	t.Helper()
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(database + end); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	must(t, os.WriteFile(database, backup, 0o600))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
