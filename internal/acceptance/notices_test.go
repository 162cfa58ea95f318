package acceptance

import (
	"bytes"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	mailer "github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// told is a mail as a person reads it.
type told struct{ to, subject, body, id string }

// mailbox reads a mail server's mails.
type mailbox struct{ *mailtest.Inbox }

func (b mailbox) next(t *testing.T) told {
	t.Helper()
	select {
	case l := <-b.Got:
		m, err := mail.ReadMessage(bytes.NewReader(l.Raw))
		if err != nil {
			t.Fatalf("%v in %q", err, l.Raw)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		return told{l.To, subject, string(body), m.Header.Get("Message-Id")}
	case <-time.After(15 * time.Second):
		t.Fatal("no mail came")
	}
	return told{}
}

// ripen waits until so many notices were written since the beginning, in however many rounds, and lets them become due.
func (o *tenant) ripen(t *testing.T, written int) {
	t.Helper()
	eventually(t, "the notices are written", func() bool {
		sum := 0
		for _, told := range toldOf.FindAllStringSubmatch(o.Logs(), -1) {
			n, _ := strconv.Atoi(told[1])
			sum += n
		}
		return sum == written
	})
	o.advance(6 * time.Minute)
}

var toldOf = regexp.MustCompile(`msg="told of tokens that end" tokens=(\d+)`)

// expect fails the test unless exactly these mails come next, to these people in any order, each with these parts.
func (b mailbox) expect(t *testing.T, want map[string][]string) {
	t.Helper()
	for range want {
		m := b.next(t)
		parts, due := want[m.to]
		if !due {
			t.Errorf("a mail to %s that is not due: %q %s", m.to, m.subject, m.body)
		}
		for _, p := range parts {
			if forbidden, no := strings.CutPrefix(p, "!"); no {
				if strings.Contains(m.subject+"\n"+m.body, forbidden) {
					t.Errorf("the mail to %s says %q: %q\n%s", m.to, forbidden, m.subject, m.body)
				}
			} else if !strings.Contains(m.subject+"\n"+m.body, p) {
				t.Errorf("the mail to %s does not say %q: %q\n%s", m.to, p, m.subject, m.body)
			}
		}
	}
}

func mailing(t *testing.T, database string) (*world, mailbox) {
	inbox := mailbox{mailtest.Serve(t, nil, "", "")}
	return newWorld(t, database, counterfoiltest.WithConfig(func(c *server.Config) {
		c.SignIn.Mail = mailer.Config{Server: inbox.Address, Security: "none", From: "Tokens <tokens@example.com>"}
	})), inbox
}

func onBothEngines(t *testing.T, test func(t *testing.T, database string)) {
	database := postgrestest.NewDatabase(t)
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, "") })
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, database) })
}

// TestExpiryNotices: at 14, 7 and 1 days and at expiry, each once, in one mail to a person, also across restarts and while
// the mail server is away.
func TestExpiryNotices(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		w, inbox := mailing(t, database)
		o := w.tenant(t)
		admin := o.person(t, counterfoil.RoleAdmin)
		reader := o.orgToken(t, counterfoil.PermActivityRead) // it does not expire
		life := int64(40 * 24 * 3600)
		named := func(kind counterfoil.Kind, name string) made {
			d := counterfoil.Draft{Kind: kind, Name: name, ExpiresIn: &life}
			if kind == counterfoil.KindPersonal {
				d.Owner = o.owner
			}
			return o.draft(t, d)
		}
		named(counterfoil.KindPersonal, "<b>deploy</b>")
		named(counterfoil.KindPersonal, "night\u202eyl")
		revoked := named(counterfoil.KindPersonal, "revoked")
		renewed := named(counterfoil.KindPersonal, "renewed")
		named(counterfoil.KindOrganization, "machine")
		must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+revoked.id, ""), "200")
		must(t, "renew", o.ask(t, o.token, "PATCH tokens/"+renewed.id, `{"expires_at":`+inJSON(o.now().Add(80*24*time.Hour).UTC().Format(time.RFC3339))+`}`), "200")

		const day = 24 * time.Hour
		o.advance(26*day + time.Minute)
		o.ripen(t, 3)
		inbox.expect(t, map[string][]string{
			o.ownerMail: {"3 notices from Counterfoil", `"<b>deploy</b>"`, `"nightyl"`, `"machine"`, "in 13 days", "/o/" + o.slug + "/tokens/tok_", "!revoked", "!renewed", "!\u202e"},
			admin.email: {`The token "machine" expires on`, "!deploy"},
		})
		w.Restart()
		o.advance(7 * day)
		o.ripen(t, 6) // a notice that were told again would come now, and make this one longer
		inbox.expect(t, map[string][]string{o.ownerMail: {"3 notices", "in 6 days"}, admin.email: {"machine", "in 6 days"}})

		inbox.Leave()
		o.advance(6 * day)
		o.ripen(t, 9)
		eventually(t, "the mail server is missed", func() bool {
			return strings.Contains(w.Logs(), "it is tried again") && strings.Contains(w.Logs(), "sending")
		})
		w.Restart()
		inbox.Return()
		inbox.Refuse(true)
		o.advance(2 * time.Minute)
		eventually(t, "two refused mails are noted", func() bool { return strings.Count(w.Logs(), "not now") >= 2 })
		inbox.Refuse(false)
		o.advance(31 * time.Minute)
		inbox.expect(t, map[string][]string{o.ownerMail: {"3 notices", "expires on", " hours"}, admin.email: {"machine"}})
		o.advance(day)
		o.ripen(t, 12)
		inbox.expect(t, map[string][]string{o.ownerMail: {"3 notices", "expired on"}, admin.email: {"The token \"machine\" has expired"}})

		w.Restart()
		o.advance(26*day + 30*time.Minute) // what comes next is about the one that was renewed
		o.ripen(t, 13)
		inbox.expect(t, map[string][]string{o.ownerMail: {`"renewed"`, "!deploy"}})
		if events := o.eventsOf(t, reader.secret, "&type=tokens/token_expiring"); len(events) != 3*3+1 {
			t.Errorf("the log has %d events of notices: %+v", len(events), events)
		}
	})
}

// TestPlaceNotices: the first use from a new network place is told once.
func TestPlaceNotices(t *testing.T) {
	t.Parallel()
	onBothEngines(t, func(t *testing.T, database string) {
		w, inbox := mailing(t, database)
		o := w.tenant(t)
		p := o.person(t, counterfoil.RoleMember)
		token := o.personal(t, p.id, "devices:read")
		use := func(ip string) { o.expectVerdict(t, "a use from "+ip, token.secret, "ok", "ip", ip) }
		places := func() []counterfoil.Event {
			return o.eventsOf(t, o.token, "&type=tokens/token_new_place&token="+token.id)
		}
		used := func(ip string) {
			use(ip)
			eventually(t, "the use is written", func() bool {
				return strings.Contains(string(o.ask(t, o.token, "GET tokens/"+token.id, "").body), `"`+ip+`"`)
			})
		}
		used("192.0.2.1") // at home
		used("192.0.2.77")
		used("198.51.100.9")
		used("198.51.100.10")
		used("2001:db8:1::1")
		eventually(t, "two places are told of", func() bool { return len(places()) == 2 })
		w.Restart()
		o.advance(6 * time.Minute)
		inbox.expect(t, map[string][]string{p.email: {"2 notices", "198.51.100.9 for the first time", "network 198.51.100.0/24", "2001:db8:1::1", "2001:db8:1::/48", "!192.0.2"}})
		used("2001:db8:1::2")
		used("203.0.113.5")
		eventually(t, "a third place is told of", func() bool { return len(places()) == 3 })
		o.advance(6 * time.Minute)
		inbox.expect(t, map[string][]string{p.email: {`The token "a token" was used from a new place`, "203.0.113.5", "!2001", "can be switched off: http", "/account"}})
	})
}
