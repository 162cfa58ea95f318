package console_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// provider is an MSP and the browser of its owner.
func (d *desk) provider() (*counterfoiltest.Organization, *sitter) {
	d.t.Helper()
	p := d.NewProvider(d.t, "Northwind MSP")
	return p, d.sitsIn(p.ID, p.Slug, p.Owner.ID)
}

// TestManagedOrganizations: from none to one that is deleted, with hostile names.
func TestManagedOrganizations(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	d.sits(d.Owner.ID).get("/organizations").says(http.StatusNotFound)
	owner.get("/organizations").says(http.StatusOK, "No organizations yet", "Create organization", "Usage", "Provider API")
	owner.post("/new-organization", "name", "", "plan", "gold", "license", "free").says(http.StatusUnprocessableEntity, "A name has 1 to 100 characters", "The plans are teams, business, enterprise", "trial")
	const name = `<b>Cust & Co</b> "1"`
	page := owner.does("/new-organization", "name", name, "plan", "business", "license", "trial").says(http.StatusOK, "Created “"+name+"”", "Business", "Trial", "0 active", "on trial until")
	if strings.Contains(page.source, "<b>Cust") {
		t.Error("a name is markup")
	}
	o := must[counterfoil.Page[counterfoil.ManagedOrganization]](t)(p.Client().ListManagedOrganizations(t.Context(), client.ManagedQuery{})).Data[0]
	owner.does("/new-organization", "name", "Other", "plan", "teams", "license", "nfr")
	owner.post("/new-organization", "name", "Third", "plan", "teams", "license", "nfr").says(http.StatusUnprocessableEntity, "has its one NFR organization already")
	owner.get("/organizations?q=cust").says(http.StatusOK, name, "!Other")
	owner.get("/organizations?status=suspended").says(http.StatusOK, "Nothing matches")
	at := "/organizations/" + o.Slug
	owner.get("/organizations/other-provider").says(http.StatusNotFound)

	owner.get(at+"/edit").says(http.StatusOK, "Edit “"+name+"”")
	owner.post(at+"/edit", "name", strings.Repeat("x", 101), "plan", "gold", "license", "trial").says(http.StatusUnprocessableEntity, "A name has 1 to 100 characters", "The plans are")
	owner.does(at+"/edit", "name", "Customer", "plan", "enterprise", "license", "standard").says(http.StatusOK, "Saved.", "Customer", "Enterprise", "Standard")
	owner.get(at+"/edit").says(http.StatusOK, "!Free for 14 days")
	owner.get(at+"/status").says(http.StatusOK, "Suspend “ Customer ”?", "It is billed as before")
	owner.does(at+"/status", "status", "suspended").says(http.StatusOK, "Suspended. None of its tokens", "Confirmed by 1 of 1 node")
	owner.get("/organizations?status=suspended").says(http.StatusOK, "Customer")
	owner.get(at+"/status").says(http.StatusOK, "Reactivate “ Customer ”?")
	owner.does(at+"/status", "status", "active").says(http.StatusOK, "Reactivated.")
	owner.get(at+"/delete").says(http.StatusOK, "Delete “ Customer ”?", "Type its name to confirm")
	owner.post(at+"/delete", "confirm", "customer").says(http.StatusUnprocessableEntity, "This is not the organization's name")
	owner.does(at+"/delete", "confirm", "Customer").says(http.StatusOK, "Deleted “Customer”. Its past usage stays", "Confirmed by", "Other")
	owner.get(at).says(http.StatusNotFound)
	owner.get("/usage").says(http.StatusOK, "Customer", "Deleted")

	d.later.Add(time.Hour.Microseconds())
	for _, stale := range []string{"/new-organization", "/organizations/other/edit", "/organizations/other/status", "/organizations/other/delete"} {
		if answer := owner.get(stale); answer.status != http.StatusSeeOther || !strings.HasPrefix(answer.location, "/confirm") {
			t.Errorf("%s asks for no fresh proof: %d %s", stale, answer.status, answer.location)
		}
	}
}

// TestProviderPeople: who sees which pages, and how somebody of a provider acts inside a customer.
func TestProviderPeople(t *testing.T) {
	d := newDesk(t)
	p, owner := d.provider()
	owner.does("/new-organization", "name", "Alpha", "plan", "teams", "license", "standard")
	owner.does("/new-organization", "name", "Beta", "plan", "teams", "license", "standard")
	managed := must[counterfoil.Page[counterfoil.ManagedOrganization]](t)(p.Client().ListManagedOrganizations(t.Context(), client.ManagedQuery{})).Data
	tech, _ := p.Member(t, counterfoil.RoleTechnician)
	must[counterfoil.Assignments](t)(p.Client().SetAssignments(t.Context(), p.ID, tech.ID, []string{managed[0].ID}))
	technician := d.sitsIn(p.ID, p.Slug, tech.ID)
	technician.get("/organizations").says(http.StatusOK, "Alpha", "!Beta", "!Usage", "!Provider API", "This takes the permission counterfoil.organizations:write")
	technician.get("/organizations/beta").says(http.StatusNotFound)
	technician.get("/organizations/alpha").says(http.StatusOK, "Open", "!Suspend", "!This month")
	for _, path := range []string{"/usage", "/usage/export", "/provider-api", "/provider-api/inspect", "/provider-api/new", "/new-organization", "/organizations/alpha/delete"} {
		technician.get(path).says(http.StatusForbidden)
	}

	inside := &sitter{d: d, at: "/o/alpha", cookies: technician.cookies}
	inside.get("/members").says(http.StatusOK, "You act inside Alpha on behalf of Northwind MSP", "!API tokens", "!Provider API", "!Webhooks", "!Events reporting")
	if moved := inside.get("/tokens"); moved.location != "/o/alpha/members" {
		t.Errorf("tokens of their own lead to %q", moved.location)
	}
	inside.post("/members/new", "email", "ada@alpha.example", "name", "Ada", "roles", "admin").says(http.StatusUnprocessableEntity)
	inside.post("/members/new", "email", "ada@alpha.example", "name", "Ada", "roles", "member").says(http.StatusOK, "Invitation for ada@alpha.example")
	beta := &sitter{d: d, at: "/o/beta", cookies: technician.cookies}
	beta.get("/members").says(http.StatusNotFound)
	other := &sitter{d: d, at: "/o/" + d.Organization.Slug, cookies: technician.cookies}
	other.get("/members").says(http.StatusNotFound)

	boss := &sitter{d: d, at: "/o/alpha", cookies: owner.cookies}
	boss.get("/activity").says(http.StatusOK, "You act inside Alpha", "Invited")
	must[counterfoil.Assignments](t)(p.Client().SetAssignments(t.Context(), p.ID, tech.ID, nil))
	inside.get("/members").says(http.StatusNotFound)
	technician.get("/organizations").says(http.StatusOK, "!Alpha")
}

// TestUsagePage: months, filters, the reason of each figure, and the file.
func TestUsagePage(t *testing.T) {
	d := newDesk(t)
	_, owner := d.provider()
	owner.get("/usage").says(http.StatusOK, "No organization in these months", "Nothing")
	owner.does("/new-organization", "name", "=Alpha", "plan", "teams", "license", "standard")
	month := time.Now().UTC().Format("2006-01")
	owner.get("/usage").says(http.StatusOK, "=Alpha", "Provisional", "no seat was active", "CSV")
	owner.get("/usage?from=2026-13").says(http.StatusUnprocessableEntity, "Give a month such as "+month)
	owner.get("/usage?from=2020-01&to="+month).says(http.StatusUnprocessableEntity, "Choose at most 36 months")
	owner.get("/usage?to=2020-01&from=2020-02").says(http.StatusUnprocessableEntity, "This is after the last month")
	owner.get("/usage/export?from=x").says(http.StatusUnprocessableEntity, "Give a month")
	owner.get("/usage?from=2020-01&to=2020-01").says(http.StatusOK, "No organization in these months", "Final")
	file := owner.get("/usage/export")
	rows, err := csv.NewReader(strings.NewReader(file.source)).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][0] != "month" || rows[1][0] != month || rows[1][3] != "'=Alpha" {
		t.Errorf("the file is %q (%v)", rows, err)
	}
	if got := file.header.Get("Content-Disposition"); !strings.Contains(got, "usage-northwind-msp-"+month) {
		t.Errorf("it is called %s", got)
	}
	owner.get("/usage?organization=org_nobody").says(http.StatusOK, "!=Alpha", "All organizations")
}

// TestProviderKeys: a key is shown once, signs, is looked into, and ends.
func TestProviderKeys(t *testing.T) {
	d := newDesk(t)
	_, owner := d.provider()
	owner.get("/provider-api").says(http.StatusOK, "No live key", "Generate private key")
	owner.post("/provider-api/new", "name", "", "algorithm", "HS256").says(http.StatusUnprocessableEntity, "A name has 1 to 100 characters", "The algorithms are")
	owner.post("/provider-api/new", "name", "own", "public_key", "nothing").says(http.StatusUnprocessableEntity, "PEM")
	shown := owner.post("/provider-api/new", "name", "<i>billing</i>", "algorithm", "EdDSA").says(http.StatusOK, "Issuer", "Audience", "BEGIN PRIVATE KEY", "I have saved this data")
	var saved struct {
		Issuer, Audience, Algorithm string
		KeyID                       string `json:"key_id"`
		PrivateKey                  string `json:"private_key"`
	}
	raw := must[[]byte](t)(base64.StdEncoding.DecodeString(strings.TrimPrefix(shown.attr(`<a [^>]*data:application/json[^>]*>`, "href"), "data:application/json;base64,")))
	if err := json.Unmarshal(raw, &saved); err != nil {
		t.Fatal(err)
	}
	if got := must[[]byte](t)(base64.StdEncoding.DecodeString(strings.TrimPrefix(shown.attr(`<a [^>]*data:application/x-pem[^>]*>`, "href"), "data:application/x-pem-file;base64,"))); string(got) != saved.PrivateKey {
		t.Errorf("the two files differ: %s", got)
	}
	list := owner.get("/provider-api").says(http.StatusOK, "<i>billing</i>", saved.KeyID, "Never", "!PRIVATE", "by you",
		"Issuer, iss "+saved.Issuer, "Audience, aud "+saved.Audience, saved.KeyID+" , EdDSA", " "+saved.Audience+"/v1/provider/usage/monthly")
	if strings.Contains(list.source, "<i>billing") {
		t.Error("a name is markup")
	}

	block, _ := pem.Decode([]byte(saved.PrivateKey))
	key := must[any](t)(x509.ParsePKCS8PrivateKey(block.Bytes)).(ed25519.PrivateKey)
	jwt := func(issued time.Time, jti string) string {
		part := base64.RawURLEncoding.EncodeToString
		text := part(fmt.Appendf(nil, `{"alg":"EdDSA","kid":%q}`, saved.KeyID)) + "." +
			part(fmt.Appendf(nil, `{"iss":%q,"aud":%q,"iat":%d,"exp":%d,"jti":%q}`, saved.Issuer, saved.Audience, issued.Unix(), issued.Unix()+60, jti))
		return text + "." + part(ed25519.Sign(key, []byte(text)))
	}
	ask := func(jwt string) int {
		r := must[*http.Request](t)(http.NewRequest(http.MethodGet, d.URL+"/v1/provider/organizations", nil))
		r.Header.Set("Authorization", "Bearer "+jwt)
		answer := must[*http.Response](t)(http.DefaultClient.Do(r))
		answer.Body.Close()
		return answer.StatusCode
	}
	first := jwt(time.Now(), "one")
	inspect := func(jwt string, texts ...string) {
		t.Helper()
		page := owner.post("/provider-api/inspect", "jwt", jwt).says(http.StatusOK, texts...)
		if jwt != "" && strings.Contains(page.source, jwt) {
			t.Error("what was pasted is sent back")
		}
	}
	owner.get("/provider-api/inspect").says(http.StatusOK, "Inspect", "!What it says")
	inspect(first, "Would be accepted", `"jti": "one"`, "<i>billing</i>")
	inspect(first, "Would be accepted") // it is not used up
	for _, pasted := range []string{"Bearer " + first, "bearer\r\n" + first[:60] + "\r\n  " + first[60:] + "\r\n", "Authorization: Bearer " + first, `"Authorization: Bearer ` + first + `"`} {
		inspect(pasted, "Would be accepted")
	}
	if status := ask(first); status != http.StatusOK {
		t.Fatalf("a signed request is answered %d", status)
	}
	inspect(first, "Would be refused", "The claim jti was used before")
	inspect(jwt(time.Now().Add(time.Hour), "two"), "Would be refused", "in the future: your clock is ahead")
	forged := strings.Split(jwt(time.Now(), "three"), ".")
	inspect(forged[0]+"."+forged[1]+"."+base64.RawURLEncoding.EncodeToString(make([]byte, 64)), "Would be refused", "Its signature was not made with the private half", `"jti": "three"`)
	inspect("no jwt", "Would be refused", "A JWT has three parts")
	inspect("", "Would be refused")

	owner.post("/provider-api/new", "name", "next", "algorithm", "ES256").says(http.StatusOK)
	owner.get("/provider-api").says(http.StatusOK, "Two keys are live, the most there may be")
	owner.post("/provider-api/new", "name", "third", "algorithm", "ES256").says(http.StatusUnprocessableEntity, "Two keys are live") // a form that was open
	at := "/provider-api/" + saved.KeyID
	owner.get(at+"/revoke").says(http.StatusOK, "Revoke “ <i>billing</i> ”?", "Every integration that signs with it stops at once")
	owner.does(at+"/revoke").says(http.StatusOK, "Revoked “<i>billing</i>”", "Confirmed by")
	if status := ask(jwt(time.Now(), "four")); status != http.StatusUnauthorized {
		t.Errorf("a request signed with a revoked key is answered %d", status)
	}
	inspect(jwt(time.Now(), "five"), "Would be refused", "The key has been revoked.")
	if logs := d.Logs(); slices.ContainsFunc([]string{first, strings.Split(first, ".")[2]}, func(s string) bool { return strings.Contains(logs, s) }) {
		t.Error("a JWT is in the log")
	}
}
