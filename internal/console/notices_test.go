package console_test

import (
	"database/sql"
	"io"
	"mime/quotedprintable"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// TestNoticesSwitchedOff: somebody who wants no mails about new places says so by themselves, gets none while others do, and
// can want them again. The log tells of the places, and of the switch.
func TestNoticesSwitchedOff(t *testing.T) {
	in := mailtest.Serve(t, nil, "", "")
	var dir string
	d := newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) {
		dir = c.Dir
		c.SignIn.Mail = mail.Config{Server: in.Address, Security: "none", From: "book@example.com"}
	}))
	letter := func() (to, text string) {
		t.Helper()
		select {
		case l := <-in.Got:
			text := must[[]byte](t)(io.ReadAll(quotedprintable.NewReader(strings.NewReader(string(l.Raw)))))
			return l.To, string(text)
		case <-time.After(20 * time.Second):
			t.Fatal("no mail came")
		}
		return "", ""
	}
	const email, password = "grace@acme.example", "correct horse battery"
	owner := d.sits(d.Owner.ID)
	owner.does("/members/new", "email", email, "name", "Grace Hopper", "roles", "admin")
	_, invitation := letter()
	grace := &sitter{d: d, cookies: map[string]string{}}
	_, ticket, _ := strings.Cut((&shown{t: t, source: invitation}).link(), "=")
	grace.send(http.MethodPost, "/invitation", url.Values{"ticket": {ticket}, "password": {password}}).says(http.StatusSeeOther)

	vouched := &sitter{d: d, cookies: owner.cookies}
	vouched.get("/account").says(http.StatusOK, "Notices by mail", "used from a new place on", "!Switch off")
	if refused := vouched.post("/account/notices", "new_place", "off"); refused.status != http.StatusForbidden {
		t.Errorf("a session that one organization vouched for is answered %d %s", refused.status, refused.text)
	}
	grace.get("/account").says(http.StatusOK, "used from a new place on", "Switch off")
	grace.does("/account/notices", "new_place", "off").says(http.StatusOK, "You get no mails about new places any more.", "used from a new place off")
	grace.does("/account/notices", "new_place", "off")
	if log := must[counterfoil.EventPage](t)(d.Client().ListEvents(t.Context(), "current", client.EventQuery{Type: "notices"})); len(log.Data) != 1 {
		t.Errorf("the log has %d entries of the switch", len(log.Data))
	}
	owner.get("/activity?type=notices").says(http.StatusOK, email, "Changed which mails they get")

	token := d.Token(t, "devices:read")
	used := func(ip string, people ...string) (texts string) {
		t.Helper()
		if v := must[counterfoil.Verdict](t)(d.System().Verify(t.Context(), counterfoil.Question{Token: token.Secret, IP: ip})); !v.Active {
			t.Fatal(v.Code)
		}
		for range people {
			d.untilLogged("tokens/token_new_place", ip)
		}
		d.later.Add((6 * time.Minute).Microseconds())
		for range people {
			to, text := letter()
			if !strings.Contains(strings.Join(people, " "), to) || !strings.Contains(text, ip) {
				t.Errorf("of %s %s was told: %s", ip, to, text)
			}
			texts += to + ":\n" + text
		}
		return texts
	}
	used("192.0.2.1") // where it is at home
	used("198.51.100.1", d.Owner.Email)
	used("203.0.113.1", d.Owner.Email)
	d.untilNobodyIsWrittenTo(dir) // hers is thrown away after the owner's was sent
	grace.cookies = map[string]string{}
	grace.send(http.MethodPost, "/sign-in", url.Values{"email": {email}, "password": {password}}).says(http.StatusSeeOther)
	grace.does("/account/notices", "new_place", "on").says(http.StatusOK, "You get mails about new places again.", "used from a new place on")
	if texts := used("2001:db8::1", d.Owner.Email, email); strings.Contains(texts, "198.51.100.1") {
		t.Errorf("what was not wanted came later: %s", texts)
	}
}

// untilNobodyIsWrittenTo waits until no letter is left in the database of a directory.
func (d *desk) untilNobodyIsWrittenTo(dir string) {
	d.t.Helper()
	db := must[*sql.DB](d.t)(sql.Open("sqlite", filepath.Join(dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)&mode=ro"))
	defer db.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var left int
		if err := db.QueryRow("SELECT COUNT(*) FROM letters").Scan(&left); err != nil || time.Now().After(deadline) {
			d.t.Fatalf("%d letters are left (%v)", left, err)
		}
		if left == 0 {
			return
		}
	}
}

// untilLogged waits for an entry of the log that names an address.
func (d *desk) untilLogged(typ, ip string) {
	d.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for after := ""; ; {
		page := must[counterfoil.EventPage](d.t)(d.Client().ListEvents(d.t.Context(), "current", client.EventQuery{Type: typ, After: after, Wait: time.Second}))
		for _, e := range page.Data {
			if strings.Contains(string(e.Metadata), `"`+ip+`"`) {
				return
			}
		}
		if after = *page.NextCursor; time.Now().After(deadline) {
			d.t.Fatalf("no %s of %s came", typ, ip)
		}
	}
}
