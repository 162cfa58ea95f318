package console_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/hectest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// TestActivityLog: N11.
func TestActivityLog(t *testing.T) {
	s := newDesk(t)
	ctx := t.Context()
	owner := s.As(s.OwnerToken)
	p := s.sits(s.Owner.ID)
	token, err := owner.CreateToken(ctx, "current", counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "<b>ci</b>", Permissions: []string{"devices:read"}})
	if err != nil {
		t.Fatal(err)
	}
	name := "ci two"
	if _, err := owner.EditToken(ctx, "current", token.Token.ID, counterfoil.Edit{Name: &name}); err != nil {
		t.Fatal(err)
	}
	write := func(drafts ...counterfoil.EventDraft) {
		t.Helper()
		if _, err := owner.WriteEvents(ctx, "current", drafts); err != nil {
			t.Fatal(err)
		}
	}
	write(counterfoil.EventDraft{Type: "devices", Action: "device_restarted", User: &counterfoil.DraftUser{Email: "grace@example.com"}, Metadata: json.RawMessage(`{"device":"GW-7"}`)})

	list := p.get("/activity").says(200, "owner@acme.example", "Created the token “<b>ci</b>”", "Changed the token “ci two”", "Device restarted (devices)", "grace@example.com")
	if strings.Index(list.text, "Device restarted") > strings.Index(list.text, "Created the token") {
		t.Error("the newest event is not first")
	}
	p.get("/activity?type=tokens").says(200, "Created the token", "!Device restarted")
	p.get("/activity?type=devices").says(200, "Device restarted", "!Created the token")
	p.get("/activity?member=grace@example.com").says(200, "Device restarted", "!Created the token")
	p.get("/activity?token="+token.Token.ID).says(200, "Created the token", "Changed the token", "!Device restarted")
	p.get("/activity?token=CI+Two").says(200, "Created the token", "Changed the token", "!Device restarted", "Of the token ci two "+token.Token.Hint)
	p.get("/activity?token="+url.QueryEscape(token.Token.Hint)).says(200, "Changed the token", "!Device restarted")
	p.get("/activity?token=no+such").says(422, "No token is called so: give a name, the shown part of a value, or an id")
	p.get("/activity?token=tok_000000000000").says(200, "Nothing matches")
	p.get("/activity/export?token=no+such&format=csv").says(422, "No token is called so")
	must[counterfoil.Created](t)(owner.CreateToken(ctx, "current", counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "ci three", Permissions: []string{"devices:read"}}))
	several := p.get("/activity?type=tokens&token=ci+t").says(422, "Several tokens are meant by this", "Which token? ci three", "ci two")
	if to := several.attr(`<a [^>]*><bdi>ci two<`, "href"); to != "/o/acme/activity?token="+token.Token.ID+"&type=tokens" {
		t.Errorf("the choice leads to %s", to)
	}
	if category := list.source; !strings.Contains(category, `<option value="devices">Devices</option>`) || !strings.Contains(category, `<option value="login">Sign-ins</option>`) {
		t.Error("the categories are not those of the service and of the product")
	}
	p.get("/activity?type=tokens/token_updated").says(200, "Changed the token", "!Created the token", "tokens/token_updated")
	p.get("/activity?item=gw-7").says(200, "Device restarted", "!Changed the token")
	p.get("/activity?item=CI+TWO").says(200, "Changed the token “ci two”", "!Device restarted")
	p.get("/activity?item=device_restarted").says(200, "Nothing matches") // the action is no item
	p.get("/activity?from=2001-01-01&to=2001-03-31").says(200, "Nothing matches", "!Follow:")
	p.get("/activity?from=2001-01-01&to=2001-04-01").says(422, "Choose at most 90 days; these are 91")
	p.get("/activity?from=2001-01-02&to=2001-01-01").says(422, "This is after the last day")
	p.get("/activity?from=yesterday").says(422, "Give a day such as")

	// The detail.
	var changed counterfoil.Event
	for _, e := range p.get("/activity/export?format=jsonl&type=tokens").lines() {
		if e.Action == "token_updated" {
			changed = e
		}
	}
	p.get(fmt.Sprintf("/activity/%d", changed.Number)).says(200, "Changed the token “ci two”", "<b>ci</b>", changed.ID, fmt.Sprintf("%x", changed.Hash), "127.0.0.1", "Program", "Before")
	for _, number := range []string{"0", "x", "999999", "-1"} {
		p.get("/activity/" + number).says(404)
	}

	// What came behind a cursor, for the page's script.
	cursor := list.attr("<tbody[^>]*>", "data-cursor")
	write(counterfoil.EventDraft{Type: "devices", Action: "device_stopped"}, counterfoil.EventDraft{Type: "backups", Action: "backup_done"})
	fresh := p.get("/activity/new?cursor="+cursor).says(200, "Device stopped", "Backup done", "!Device restarted")
	if strings.Index(fresh.text, "Backup done") > strings.Index(fresh.text, "Device stopped") {
		t.Error("of what is new the newest is not first")
	}
	p.get("/activity/new?type=backups&cursor="+cursor).says(200, "Backup done", "!Device stopped")
	if none := p.get("/activity/new?cursor=" + fresh.attr("<tbody[^>]*>", "data-cursor")); none.status != 200 || strings.Contains(none.source, "<tr") || strings.Contains(fresh.source, "<html") {
		t.Errorf("with nothing new the script gets %d %s", none.status, none.source)
	}
	p.get("/activity/new").says(400)

	// People by name.
	write(counterfoil.EventDraft{Type: "devices", Action: "device_moved", User: &counterfoil.DraftUser{Email: "owner@acme.example"}})
	for _, name := range []string{"Ada Berg", "Ada Blum"} {
		must[counterfoil.Member](t)(s.System().AddMember(ctx, s.Organization.ID, counterfoil.MemberDraft{Email: strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@acme.example", Name: name, Roles: []string{"member"}}))
	}
	p.get("/activity?member=owner").says(200, "Device moved", "!Device restarted")
	p.get("/activity?member=ada").says(422, "Several people are meant by this", "Which member? Ada Berg ada.berg@acme.example Ada Blum ada.blum@acme.example")
	p.get("/activity?member=nobody-at-all").says(200, "Nothing matches")

	// Somebody without the right.
	made, err := s.System().AddMember(ctx, s.Organization.ID, counterfoil.MemberDraft{Email: "bob@acme.example", Name: "Bob", Roles: []string{"member"}})
	if err != nil {
		t.Fatal(err)
	}
	active := "active"
	if _, err := s.System().EditMember(ctx, s.Organization.ID, made.ID, counterfoil.MemberEdit{Status: (*counterfoil.MemberStatus)(&active)}); err != nil {
		t.Fatal(err)
	}
	bob := s.sits(made.ID)
	for _, address := range []string{"/activity", "/activity/1", "/activity/new?cursor=" + cursor, "/activity/export"} {
		bob.get(address).says(403, "counterfoil.activity:read")
	}
	bob.get("/tokens").says(200, "!Activity log")
}

// lines reads a download in JSON lines.
func (p *shown) lines() (out []counterfoil.Event) {
	p.t.Helper()
	for line := range strings.Lines(p.source) {
		var e counterfoil.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			p.t.Fatalf("%v: %.200s", err, line)
		}
		out = append(out, e)
	}
	return out
}

// TestActivityDownload: everything that the filters let through, in order, as it is in the log; and no cell is a formula.
func TestActivityDownload(t *testing.T) {
	s := newDesk(t)
	owner := s.As(s.OwnerToken)
	p := s.sits(s.Owner.ID)
	const batches, size = 5, 500
	for b := range batches {
		var drafts []counterfoil.EventDraft
		for i := range size {
			d := counterfoil.EventDraft{Type: "devices", Action: "device_seen", Initiator: "=cmd|' /C calc'!A0", Metadata: json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"a \"quoted\",\nline"}`, b*size+i))}
			drafts = append(drafts, d)
		}
		if _, err := owner.WriteEvents(t.Context(), "current", drafts); err != nil {
			t.Fatal(err)
		}
	}
	n, last := 0, int64(0)
	for _, e := range p.get("/activity/export?format=jsonl&type=devices").lines() {
		var m struct{ N int }
		if err := json.Unmarshal(e.Metadata, &m); err != nil || m.N != n || e.Number <= last || e.Initiator != "=cmd|' /C calc'!A0" {
			t.Fatalf("line %d is %+v (%v)", n, e, err)
		}
		n, last = n+1, e.Number
	}
	if n != batches*size {
		t.Errorf("the download has %d events, want %d", n, batches*size)
	}

	file := p.get("/activity/export?format=csv&type=devices")
	today := time.Now().UTC()
	want := fmt.Sprintf(`attachment; filename="activity-%s-%s-%s.csv"`, s.Organization.Slug, today.AddDate(0, 0, -89).Format(time.DateOnly), today.Format(time.DateOnly))
	if got := file.header.Get("Content-Disposition"); got != want || !strings.HasPrefix(file.header.Get("Content-Type"), "text/csv") {
		t.Errorf("the file is %s of %s, want %s", got, file.header.Get("Content-Type"), want)
	}
	rows, err := csv.NewReader(strings.NewReader(file.source)).ReadAll()
	if err != nil || len(rows) != batches*size+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	for i, row := range rows[1:] {
		if row[column["initiator"]] != "'=cmd|' /C calc'!A0" || row[column["member"]] != "'=cmd|' /C calc'!A0" || row[column["what"]] != "Device seen (devices)" {
			t.Fatalf("row %d is %q", i, row)
		}
		if want := fmt.Sprintf(`{"n":%d,"text":"a \"quoted\",\nline"}`, i); row[column["metadata"]] != want {
			t.Fatalf("the metadata of row %d is %s, want %s", i, row[column["metadata"]], want)
		}
	}
	p.get("/activity/export?from=2001-01-01").says(422, "Choose at most 90 days")
}

// TestIntegrationHealth: the landing page says when each integration pulled last, and from where.
func TestIntegrationHealth(t *testing.T) {
	s := newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) { c.OutgoingAllow = []string{"127.0.0.0/8"} }))
	p := s.sits(s.Owner.ID)
	p.get("/integrations").says(200, "Not set up", "No active token.", "!Pulling", "!Never pulled")
	made, err := s.As(s.OwnerToken).CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "indexer 1"})
	if err != nil {
		t.Fatal(err)
	}
	p.get("/integrations").says(200, "Never pulled", "1 active token, none used yet.", "!Pulling")
	if _, err := s.As(made.Secret).SplunkEvents(t.Context(), "", 10); err != nil {
		t.Fatal(err)
	}
	page := func(word string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.get("/integrations").text, word); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the page does not say %q within 20 s", word)
			}
		}
	}
	page("Pulling")
	p.get("/integrations").says(200, "indexer 1", "127.0.0.1", "Last pulled", "!Never pulled", "!Push to")

	c := hectest.New(t, hectest.Settings{Token: "collector"})
	must[counterfoil.SplunkExport](t)(s.As(s.OwnerToken).SetSplunkExport(t.Context(), "current", counterfoil.SplunkExportDraft{URL: c.URL, Token: "collector", Backfill: true}))
	page("Up to date")
	p.get("/integrations").says(200, "Push to "+c.URL, "Delivered to #", "0 missing.")
	c.Set(func(s *hectest.Settings) { s.Token = "another" })
	must[[]counterfoil.EventRef](t)(s.As(s.OwnerToken).WriteEvents(t.Context(), "current", []counterfoil.EventDraft{{Type: "devices", Action: "device_seen"}}))
	page("Paused")
}

// TestActivityDownloadBreaksOff: whoever loses the right to read the log while they download it gets a broken file, and not a
// short one that looks whole.
func TestActivityDownloadBreaksOff(t *testing.T) {
	s := newDesk(t)
	ctx := t.Context()
	admin := must[counterfoil.Member](t)(s.System().AddMember(ctx, s.Organization.ID, counterfoil.MemberDraft{Email: "eve@acme.example", Name: "Eve", Roles: []string{"admin"}}))
	active := counterfoil.MemberActive
	must[counterfoil.Member](t)(s.System().EditMember(ctx, s.Organization.ID, admin.ID, counterfoil.MemberEdit{Status: &active}))
	p := s.sits(admin.ID)
	drafts := make([]counterfoil.EventDraft, 1000)
	for i := range drafts {
		drafts[i] = counterfoil.EventDraft{Type: "devices", Action: "device_seen", Metadata: json.RawMessage(`"` + strings.Repeat("x", 900) + `"`)}
	}
	for range 30 { // more than the buffers of a connection hold
		must[[]counterfoil.EventRef](t)(s.As(s.OwnerToken).WriteEvents(ctx, "current", drafts))
	}
	r := must[*http.Request](t)(http.NewRequest(http.MethodGet, s.URL+p.at+"/activity/export?format=jsonl", nil))
	for name, value := range p.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := must[*http.Response](t)((&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r))
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 1000); err != nil || answer.StatusCode != 200 {
		t.Fatal(answer.Status, err)
	}
	roles := []string{"member"}
	must[counterfoil.Member](t)(s.System().EditMember(ctx, s.Organization.ID, admin.ID, counterfoil.MemberEdit{Roles: &roles}))
	if n, err := io.Copy(io.Discard, answer.Body); err == nil {
		t.Errorf("the download ended after %d bytes as if it were whole", n)
	}
}
