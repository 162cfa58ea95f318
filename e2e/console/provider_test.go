package console

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// provider makes Ada, who has a session, an owner of the provider Northwind MSP as well.
func (w *world) provider() (id string) {
	w.t.Helper()
	msp, err := w.Registry.CreateOrganization(w.t.Context(), registry.Operator(), counterfoil.OrganizationDraft{Name: "Northwind MSP", Provider: true})
	w.give(err)
	w.joins(msp.ID, ada, "Ada Lovelace", counterfoil.RoleOwner)
	return msp.ID
}

func (w *world) give(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// joins makes somebody an active member of an organization.
func (w *world) joins(org, email, name string, roles ...string) counterfoil.Member {
	w.t.Helper()
	m, err := w.Registry.AddMember(w.t.Context(), registry.Operator(), org, counterfoil.MemberDraft{Email: email, Name: name, Roles: roles})
	w.give(err)
	active := counterfoil.MemberActive
	m, _, err = w.Registry.EditMember(w.t.Context(), registry.Operator(), org, m.ID, counterfoil.MemberEdit{Status: &active})
	w.give(err)
	return m
}

// manages makes an organization that a provider manages, with so many active members.
func (w *world) manages(provider string, draft counterfoil.ManagedDraft, members int) counterfoil.ManagedOrganization {
	w.t.Helper()
	o, err := w.Registry.CreateManaged(w.t.Context(), registry.Operator(), provider, draft)
	w.give(err)
	for i := range members {
		w.joins(o.ID, fmt.Sprintf("m%d@%s.example.com", i, o.Slug), fmt.Sprintf("Member %d", i), counterfoil.RoleMember)
	}
	return o
}

// busy is a provider with some months behind it, and its owner.
func busy(t *testing.T) (w *world, p *person, tess counterfoil.Member) {
	t.Helper()
	at := new(clock).set(time.Date(2026, 8, 20, 8, 0, 0, 0, time.UTC))
	w, p = founded(t, at.into)
	msp := w.provider()
	alpha := w.manages(msp, counterfoil.ManagedDraft{Name: "Alpine Rescue", Plan: "business"}, 3)
	at.ahead(20 * 24 * time.Hour)
	w.manages(msp, counterfoil.ManagedDraft{Name: "Bakery <North> & Sons", Plan: "teams"}, 1)
	own := w.manages(msp, counterfoil.ManagedDraft{Name: "Northwind itself", Plan: "enterprise", License: counterfoil.LicenseNFR}, 2)
	at.ahead(30 * 24 * time.Hour)
	w.manages(msp, counterfoil.ManagedDraft{Name: "Delta Dental", Plan: "teams", License: counterfoil.LicenseTrial}, 1)
	suspended := counterfoil.OrgSuspended
	_, _, err := w.Registry.EditOrganization(t.Context(), registry.Operator(), own.ID, counterfoil.OrganizationEdit{Status: &suspended})
	w.give(err)
	tess = w.joins(msp, "tess@northwind.example", "Tess Okafor", counterfoil.RoleTechnician)
	_, _, err = w.Registry.SetAssignments(t.Context(), registry.Operator(), msp, tess.ID, counterfoil.Assignments{Organizations: []string{alpha.ID}})
	w.give(err)
	for _, draft := range []counterfoil.ProviderKeyDraft{{Name: "Billing, old"}, {Name: "Billing"}} {
		made, err := w.Registry.CreateProviderKey(t.Context(), registry.Operator(), msp, draft)
		w.give(err)
		if draft.Name != "Billing" {
			_, err = w.Registry.RevokeProviderKey(t.Context(), registry.Operator(), msp, made.ID)
			w.give(err)
		}
	}
	at.ahead(time.Minute)
	out, err := w.Identity.SignIn(t.Context(), ada, password, here)
	w.give(err)
	p.cookie("__Host-session", out.Value)
	return w, p, tess
}

// TestEveryPageOfAProvider visits the pages that a provider alone has, and how it looks inside a customer.
func TestEveryPageOfAProvider(t *testing.T) {
	_, p, tess := busy(t)
	i := newInspector(p)
	const at = "/o/northwind-msp"
	for _, c := range []struct{ path, says string }{
		{"/organizations", "Alpine Rescue"}, {"/organizations?q=nobody", "Nothing matches"}, {"/organizations/alpine-rescue", "This month, so far"},
		{"/organizations/alpine-rescue/edit", "Edit “Alpine Rescue”"}, {"/organizations/alpine-rescue/status", "Suspend “Alpine Rescue”?"},
		{"/organizations/northwind-itself", "Reactivate"}, {"/organizations/alpine-rescue/delete", "Type its name to confirm"}, {"/new-organization", "Create organization"},
		{"/usage", "Provisional"}, {"/usage?from=2026-08&to=2026-10", "Alpine Rescue"}, {"/usage?from=2026-13", "Give a month"},
		{"/provider-api", "Billing, old"}, {"/provider-api/new", "EdDSA"}, {"/provider-api/inspect", "JWT inspector"}, {"/members/" + tess.ID, "Tess Okafor"},
		{"/members/" + tess.ID + "/organizations", "1 of 4 selected"}, {"/usage?organization=alpine", "Alpine Rescue"}, {"/usage?organization=n", "Which organization?"},
	} {
		p.open(at + c.path)
		p.sees(c.says)
		i.inspect(c.path)
	}
	p.open("/o/alpine-rescue/members")
	p.sees("You act inside Alpine Rescue")
	i.inspect("inside a customer")
	p.follow("link", "Leave")
	p.at("/o/northwind-msp/organizations/alpine-rescue")
}

// TestProvider: an owner of a provider makes an organization and a key, and a program of theirs works until the key ends.
func TestProvider(t *testing.T) {
	w, p := founded(t)
	w.provider()
	i, dir := newInspector(p), p.downloads()
	p.open("/o/northwind-msp/organizations")
	p.sees("No organizations yet")
	p.follow("link", "Create organization")
	p.fill("Name", "Alpine Rescue")
	p.tick("Trial")
	p.follow("button", "Create organization")
	p.sees("Created “Alpine Rescue”", "Trial", "0 active", "on trial until")
	p.follow("link", "Open")
	p.sees("You act inside Alpine Rescue on behalf of Northwind MSP")
	p.follow("link", "Leave")
	p.follow("link", "Usage")
	p.sees("Alpine Rescue", "Provisional")

	p.follow("link", "Provider API")
	p.follow("link", "Generate private key")
	p.fill("Name", "billing")
	p.follow("button", "Generate")
	p.sees("-----BEGIN PRIVATE KEY-----")
	if !eval[bool](p, `[...document.querySelectorAll("button")].find((b) => b.textContent.trim() === "Done").disabled`) {
		t.Error("what nobody has saved can be left")
	}
	i.inspect("a private key revealed")
	p.click("link", "Download JSON")
	p.click("link", "Download PEM")
	k := p.downloaded(dir)
	p.click("checkbox", "I have saved this data")
	p.follow("button", "Done")
	p.missing("PRIVATE KEY")
	p.sees("billing", k.KeyID, "Never")

	first := k.sign(t, time.Now(), "first")
	if status, body := w.ask(first); status != http.StatusOK || !strings.Contains(body, "Alpine Rescue") {
		t.Errorf("a signed request is answered %d %s", status, body)
	}
	p.follow("link", "JWT inspector")
	p.fill("JWT", k.sign(t, time.Now().Add(-time.Hour), "late"))
	p.follow("button", "Inspect")
	p.sees("Would be refused", "The claim exp was 58m", "your clock is behind this one")
	i.inspect("a JWT explained")
	if got := eval[string](p, `location.search + document.getElementById("jwt").value`); got != "" {
		t.Errorf("what was pasted is still there: %s", got)
	}
	p.fill("JWT", k.sign(t, time.Now(), "fine"))
	p.follow("button", "Inspect")
	p.sees("Would be accepted")

	p.open("/o/northwind-msp/provider-api")
	p.missing("Never")
	p.click("link", "Revoke billing")
	p.finds("dialog", "Revoke “billing”?")
	p.follow("button", "Revoke")
	p.sees("Revoked “billing”", "Confirmed by 1 of 1 node")
	if status, body := w.ask(k.sign(t, time.Now(), "after")); status != http.StatusUnauthorized {
		t.Errorf("after the revocation a signed request is answered %d %s", status, body)
	}

	p.open("/o/northwind-msp/organizations/alpine-rescue")
	p.click("link", "Delete")
	p.finds("dialog", "Delete “Alpine Rescue”?")
	p.fill("Type its name to confirm", "Alpine Rescue")
	p.follow("button", "Delete organization")
	p.sees("Deleted “Alpine Rescue”", "No organizations yet")
	p.open("/o/northwind-msp/usage")
	p.sees("Alpine Rescue", "Deleted")
}

// TestProviderWithoutScript: what a provider does with scripts switched off, the downloads too.
func TestProviderWithoutScript(t *testing.T) {
	w, p := founded(t)
	w.provider()
	dir := p.downloads()
	p.do("switching scripts off", emulation.SetScriptExecutionDisabled(true))
	p.open("/o/northwind-msp/new-organization")
	p.fill("Name", "Alpine Rescue")
	p.follow("button", "Create organization")
	p.follow("link", "Suspend") // a page here, no dialog
	p.follow("button", "Suspend organization")
	p.sees("Suspended.", "Confirmed by 1 of 1 node")
	p.open("/o/northwind-msp/provider-api/new")
	p.fill("Name", "billing")
	p.follow("button", "Generate")
	p.click("link", "Download JSON")
	p.click("link", "Download PEM")
	k := p.downloaded(dir)
	p.click("checkbox", "I have saved this data")
	p.follow("button", "Done")
	if status, body := w.ask(k.sign(t, time.Now(), "one")); status != http.StatusOK {
		t.Errorf("a signed request is answered %d %s", status, body)
	}
	p.follow("link", "Revoke billing")
	p.follow("button", "Revoke")
	p.sees("Revoked “billing”")
}

// savedKey is what the two files of a key hold.
type savedKey struct {
	KeyID, Issuer, Audience, Algorithm string
	private                            ed25519.PrivateKey
}

// downloaded waits for both files of a key in a directory, and holds them to each other.
func (p *person) downloaded(dir string) (k savedKey) {
	p.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	for {
		whole, _ := filepath.Glob(filepath.Join(dir, "key_*.json"))
		private, _ := filepath.Glob(filepath.Join(dir, "key_*.pem"))
		if len(whole) == 1 && len(private) == 1 && filled(whole[0]) && filled(private[0]) {
			return p.readKey(whole[0], private[0])
		}
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("the files did not come: %s %s", whole, private)
		}
	}
}

// filled reports whether a download is there: the browser makes an empty file of that name first, and puts the whole one in its place.
func filled(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() > 0
}

func (p *person) readKey(whole, private string) (k savedKey) {
	p.t.Helper()
	raw, err := os.ReadFile(whole)
	if err != nil {
		p.t.Fatal(err)
	}
	var file map[string]string
	if err := json.Unmarshal(raw, &file); err != nil {
		p.t.Fatalf("%v: %s", err, raw)
	}
	text, err := os.ReadFile(private)
	if err != nil || string(text) != file["private_key"] {
		p.t.Fatalf("the files hold different keys (%v)", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		p.t.Fatalf("this is no PEM: %s", text)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		p.t.Fatal(err)
	}
	return savedKey{file["key_id"], file["issuer"], file["audience"], file["algorithm"], key.(ed25519.PrivateKey)}
}

// sign makes a JWT as a provider's program does.
func (k savedKey) sign(t *testing.T, issued time.Time, jti string) string {
	t.Helper()
	part := base64.RawURLEncoding.EncodeToString
	text := part(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT","kid":%q}`, k.Algorithm, k.KeyID)) + "." +
		part(fmt.Appendf(nil, `{"iss":%q,"aud":%q,"iat":%d,"exp":%d,"jti":%q}`, k.Issuer, k.Audience, issued.Unix(), issued.Unix()+120, jti))
	return text + "." + part(ed25519.Sign(k.private, []byte(text)))
}

// ask sends a JWT to the API.
func (w *world) ask(jwt string) (status int, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL+"/v1/provider/usage/monthly", nil)
	w.give(err)
	r.Header.Set("Authorization", "Bearer "+jwt)
	answer, err := http.DefaultClient.Do(r)
	w.give(err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	w.give(err)
	return answer.StatusCode, string(raw)
}
