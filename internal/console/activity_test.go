package console_test

import (
	"bufio"
	"context"
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
)

// person is somebody who is signed in to the console.
type person struct {
	t      testing.TB
	base   string // of the organization's pages
	cookie string
}

// signIn signs a member in by an address that the product asked for.
func signIn(t testing.TB, s *counterfoiltest.Server, memberID string) *person {
	t.Helper()
	made, err := s.System().CreateConsoleSession(t.Context(), s.Organization.ID, counterfoil.ConsoleSessionDraft{Member: memberID, ReturnURL: "https://product.example/"})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(made.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{t: t}
	a := p.open(s.URL + at.RequestURI())
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "__Host-session" {
			p.cookie = c.Name + "=" + c.Value
		}
	}
	if p.cookie == "" {
		t.Fatalf("%d without a session: %s", a.status, a.body)
	}
	p.base = s.URL + "/o/" + s.Organization.Slug
	return p
}

type answered struct {
	status int
	header http.Header
	body   string
}

func (p *person) request(address string) *http.Response {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.base + address
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Cookie", p.cookie)
	r.Header.Set("Accept", "text/html")
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

func (p *person) open(address string) answered {
	p.t.Helper()
	answer := p.request(address)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answered{answer.StatusCode, answer.Header, string(body)}
}

func (p *person) expect(address string, status int, texts ...string) answered {
	p.t.Helper()
	a := p.open(address)
	if a.status != status {
		p.t.Errorf("%s is answered %d, want %d", address, a.status, status)
	}
	for _, text := range texts {
		if not, found := strings.CutPrefix(text, "!"); found && strings.Contains(a.body, not) {
			p.t.Errorf("%s holds %q", address, not)
		} else if !found && !strings.Contains(a.body, text) {
			p.t.Errorf("%s lacks %q", address, text)
		}
	}
	return a
}

// TestActivityLog: N11.
func TestActivityLog(t *testing.T) {
	s := counterfoiltest.Start(t)
	ctx := t.Context()
	owner := s.As(s.OwnerToken)
	p := signIn(t, s, s.Owner.ID)
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

	list := p.expect("/activity", 200, "owner@acme.example", "Created the token “&lt;b&gt;ci&lt;/b&gt;”", "Changed the token “ci two”", "Device restarted (devices)", "grace@example.com")
	if strings.Index(list.body, "Device restarted") > strings.Index(list.body, "Created the token") {
		t.Error("the newest event is not first")
	}
	p.expect("/activity?type=tokens", 200, "Created the token", "!Device restarted")
	p.expect("/activity?type=devices", 200, "Device restarted", "!Created the token")
	p.expect("/activity?member=grace@example.com", 200, "Device restarted", "!Created the token")
	p.expect("/activity?token="+token.Token.ID, 200, "Created the token", "Changed the token", "!Device restarted")
	p.expect("/activity?item=gw-7", 200, "Device restarted", "!Changed the token")
	p.expect("/activity?item=CI+TWO", 200, "Changed the token “ci two”", "!Device restarted")
	p.expect("/activity?item=device_restarted", 200, "Nothing matches") // the action is no item
	p.expect("/activity?from=2001-01-01&to=2001-03-31", 200, "Nothing matches", "!data-follow")
	p.expect("/activity?from=2001-01-01&to=2001-04-01", 422, "Choose at most 90 days; these are 91")
	p.expect("/activity?from=2001-01-02&to=2001-01-01", 422, "This is after the last day")
	p.expect("/activity?from=yesterday", 422, "Give a day such as")

	// The detail.
	var changed counterfoil.Event
	for e := range events(t, p, "/activity/export?format=jsonl&type=tokens") {
		if e.Action == "token_updated" {
			changed = e
		}
	}
	p.expect(fmt.Sprintf("/activity/%d", changed.Number), 200, "Changed the token “ci two”", "&lt;b&gt;ci&lt;/b&gt;", changed.ID, fmt.Sprintf("%x", changed.Hash), "127.0.0.1", "Program", "Before")
	for _, number := range []string{"0", "x", "999999", "-1"} {
		p.expect("/activity/"+number, 404)
	}

	// What came behind a cursor, for the page's script.
	cursor := between(list.body, `data-cursor="`, `"`)
	write(counterfoil.EventDraft{Type: "devices", Action: "device_stopped"}, counterfoil.EventDraft{Type: "backups", Action: "backup_done"})
	fresh := p.expect("/activity/new?cursor="+cursor, 200, "Device stopped", "Backup done", "!Device restarted", "!<html")
	if strings.Index(fresh.body, "Backup done") > strings.Index(fresh.body, "Device stopped") {
		t.Error("of what is new the newest is not first")
	}
	p.expect("/activity/new?type=backups&cursor="+cursor, 200, "Backup done", "!Device stopped")
	p.expect("/activity/new?cursor="+between(fresh.body, `data-cursor="`, `"`), 200, "!<tr")
	p.expect("/activity/new", 400)

	// Somebody without the right.
	made, err := s.System().AddMember(ctx, s.Organization.ID, counterfoil.MemberDraft{Email: "bob@acme.example", Name: "Bob", Roles: []string{"member"}})
	if err != nil {
		t.Fatal(err)
	}
	active := "active"
	if _, err := s.System().EditMember(ctx, s.Organization.ID, made.ID, counterfoil.MemberEdit{Status: (*counterfoil.MemberStatus)(&active)}); err != nil {
		t.Fatal(err)
	}
	bob := signIn(t, s, made.ID)
	for _, address := range []string{"/activity", "/activity/1", "/activity/new?cursor=" + cursor, "/activity/export"} {
		bob.expect(address, 403, "counterfoil.activity:read")
	}
	bob.expect("/tokens", 200, "!Activity log")
}

func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return text
}

// events reads a download in JSON lines.
func events(t testing.TB, p *person, address string) func(func(counterfoil.Event) bool) {
	return func(yield func(counterfoil.Event) bool) {
		answer := p.request(address)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 4<<20)
		for lines.Scan() {
			var e counterfoil.Event
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				t.Fatalf("%v: %.200s", err, lines.Text())
			}
			if !yield(e) {
				return
			}
		}
		if lines.Err() != nil {
			t.Fatal(lines.Err())
		}
	}
}

// TestActivityDownload: everything that the filters let through, in order, as it is in the log; and no cell is a formula.
func TestActivityDownload(t *testing.T) {
	s := counterfoiltest.Start(t)
	owner := s.As(s.OwnerToken)
	p := signIn(t, s, s.Owner.ID)
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
	for e := range events(t, p, "/activity/export?format=jsonl&type=devices") {
		var m struct{ N int }
		if err := json.Unmarshal(e.Metadata, &m); err != nil || m.N != n || e.Number <= last || e.Initiator != "=cmd|' /C calc'!A0" {
			t.Fatalf("line %d is %+v (%v)", n, e, err)
		}
		n, last = n+1, e.Number
	}
	if n != batches*size {
		t.Errorf("the download has %d events, want %d", n, batches*size)
	}

	answer := p.request("/activity/export?format=csv&type=devices")
	defer answer.Body.Close()
	today := time.Now().UTC()
	want := fmt.Sprintf(`attachment; filename="activity-%s-%s-%s.csv"`, s.Organization.Slug, today.AddDate(0, 0, -89).Format(time.DateOnly), today.Format(time.DateOnly))
	if got := answer.Header.Get("Content-Disposition"); got != want || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("the file is %s of %s, want %s", got, answer.Header.Get("Content-Type"), want)
	}
	rows, err := csv.NewReader(answer.Body).ReadAll()
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
	p.expect("/activity/export?from=2001-01-01", 422, "Choose at most 90 days")
}

// TestIntegrationHealth: the landing page says when each integration pulled last, and from where.
func TestIntegrationHealth(t *testing.T) {
	s := counterfoiltest.Start(t)
	p := signIn(t, s, s.Owner.ID)
	p.expect("/integrations", 200, "Not set up", "No active token.", "!Pulling", "!Never pulled")
	made, err := s.As(s.OwnerToken).CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "indexer 1"})
	if err != nil {
		t.Fatal(err)
	}
	p.expect("/integrations", 200, "Never pulled", "1 active token, none used yet.", "!Pulling")
	if _, err := s.As(made.Secret).SplunkEvents(t.Context(), "", 10); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if body := p.open("/integrations").body; strings.Contains(body, "Pulling") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a pull is not shown within 10 s")
		}
	}
	p.expect("/integrations", 200, "indexer 1", "127.0.0.1", "Last pulled", "!Never pulled")
}
