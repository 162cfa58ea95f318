package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// What a server committed and was killed before it wrote it to the ledger is written by the next one, whoever asks again or not:
// it is as dead as what was answered, and a backup revives none of it.
func TestRestoreOfWhatAKilledServerEnded(t *testing.T) {
	in := serveNew(t, "")
	ctx, system := t.Context(), in.system()
	database, ledger := filepath.Join(in.dir, "counterfoil.db"), filepath.Join(in.dir, "revocations.ledger")
	elsewhere, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: "Elsewhere"})
	must(t, err)
	member, err := system.AddMember(ctx, in.Organization.ID, counterfoil.MemberDraft{Email: "leaver@acme.example", Name: "Leaver", Roles: []string{"member"}})
	must(t, err)
	active := counterfoil.MemberActive
	_, err = system.EditMember(ctx, in.Organization.ID, member.ID, counterfoil.MemberEdit{Status: &active})
	must(t, err)
	provider, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: "Provider", Provider: true})
	must(t, err)
	key, err := system.CreateProviderKey(ctx, counterfoil.ProviderKeyDraft{Name: "billing", Provider: provider.ID})
	must(t, err)
	dead := map[string]string{}
	create := func(name, org string, draft counterfoil.Draft) string {
		t.Helper()
		draft.Name = name
		made, err := system.CreateToken(ctx, org, draft)
		must(t, err)
		dead[name] = made.Secret
		return made.Token.ID
	}
	ofOrganization := counterfoil.Draft{Kind: counterfoil.KindOrganization}
	revoked, rotated, finished := create("revoked", in.Organization.ID, ofOrganization), create("rotated", in.Organization.ID, ofOrganization), create("finished", in.Organization.ID, ofOrganization)
	integration := create("of an integration", in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: "splunk"})
	ofInstance, err := system.CreateToken(ctx, client.System, counterfoil.Draft{Name: "of the instance", Permissions: []string{counterfoil.PermTokensVerify}})
	must(t, err)
	dead["of the instance"] = ofInstance.Secret
	create("of somebody who left", in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindPersonal, Owner: member.ID})
	create("of a deleted organization", elsewhere.ID, ofOrganization)
	grace, err := system.RotateToken(ctx, in.Organization.ID, finished, 24*time.Hour)
	must(t, err)

	in.stop(syscall.SIGTERM)
	backup, err := os.ReadFile(database)
	must(t, err)
	before, err := os.ReadFile(ledger)
	must(t, err)
	in.start()
	_, err = system.RevokeToken(ctx, in.Organization.ID, revoked, "")
	must(t, err)
	_, err = system.RevokeToken(ctx, in.Organization.ID, integration, "")
	must(t, err)
	_, err = system.RevokeToken(ctx, client.System, ofInstance.Token.ID, "")
	must(t, err)
	next, err := system.RotateToken(ctx, in.Organization.ID, rotated, 0)
	must(t, err)
	_, err = system.EndPreviousValue(ctx, in.Organization.ID, finished, 0)
	must(t, err)
	must(t, system.RemoveMember(ctx, in.Organization.ID, member.ID))
	must(t, system.DeleteOrganization(ctx, elsewhere.ID))
	must(t, system.RevokeProviderKey(ctx, provider.ID, key.ID))
	in.stop(syscall.SIGKILL)
	must(t, os.WriteFile(ledger, before, 0o600)) // as if each was the last that it did
	in.start()
	in.stop(syscall.SIGTERM)
	putBack(t, database, backup)
	in.start()

	isActive := func(name, value string, want bool) {
		t.Helper()
		if v, err := system.Verify(ctx, counterfoil.Question{Token: value}); err != nil || v.Active != want {
			t.Errorf("%s: active is %v (%v), want %v", name, v.Active, err, want)
		}
	}
	for name, value := range dead {
		isActive(name, value, false)
	}
	isActive("the value after the rotation", next.Secret, true)
	isActive("the value after the one that was finished", grace.Secret, true)
	if err := system.RevokeProviderKey(ctx, provider.ID, key.ID); err != nil || !strings.Contains(in.logs(), "tokens_keys_and_organizations=8") {
		t.Errorf("it did not end all eight (%v)", err)
	}
}

// That the ledger is missing is said by each start until one serves, and not by a new instance's.
func TestMissingLedgerIsToldUntilOneServes(t *testing.T) {
	in := serveNew(t, "")
	ledger := filepath.Join(in.dir, "revocations.ledger")
	told := func() int { return strings.Count(in.logs(), "no ledger of revocations") }
	in.stop(syscall.SIGKILL)
	in.start()
	if told() != 0 {
		t.Error("a new instance is said to have lost its ledger")
	}
	in.stop(syscall.SIGTERM)
	must(t, os.Remove(ledger))
	taken, err := net.Listen("tcp", in.address)
	must(t, err)
	must(t, in.launch())
	select {
	case <-in.process.Done():
	case <-time.After(patience):
		t.Fatal("it serves where nobody can")
	}
	must(t, taken.Close())
	for range 2 { // the second finds what the first began
		in.start()
		in.stop(syscall.SIGKILL)
	}
	if n := told(); n != 2 {
		t.Errorf("it is told %d times that the ledger is missing, want by the start that failed and by the first that served", n)
	}
}
