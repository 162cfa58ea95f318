package console

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// clock stands still but for its owner.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time             { return time.Unix(0, c.at.Load()) }
func (c *clock) ahead(d time.Duration)      { c.at.Add(int64(d)) }
func (c *clock) set(t time.Time) *clock     { c.at.Store(t.UnixNano()); return c }
func (c *clock) into(config *server.Config) { config.Now = c.now }

// lived is an organization that has seen some weeks: members, roles, filters, tokens in every state, used and refused.
// Its clock stands still, so that every page of it is always the same but for ids.
func lived(t *testing.T) (*life, *person) {
	t.Helper()
	at := new(clock).set(time.Date(2026, 10, 5, 8, 0, 0, 0, time.UTC))
	w, p := founded(t, at.into)
	l := &life{world: w, clock: at}
	l.people()
	l.tokens()
	l.uses()
	at.ahead(3 * time.Minute)
	p.cookie("__Host-session", l.session().Value)
	return l, p
}

type life struct {
	*world
	*clock
	caller                            registry.Caller // Ada
	collector, backup, report, splunk counterfoil.Created
	refusal                           string // a reference
}

// session signs Ada in, and is who acts from now on.
func (l *life) session() identity.Outcome {
	l.t.Helper()
	out, err := l.Identity.SignIn(l.t.Context(), ada, password, here)
	l.must(err)
	s, _, err := l.Identity.Session(l.t.Context(), out.Value, here)
	l.must(err)
	list, err := l.Identity.Memberships(l.t.Context(), s)
	l.must(err)
	l.caller = registry.Caller{Session: s.ID, Member: list[0].MemberID, Organization: l.org, Kind: counterfoil.KindPersonal, Attempt: counterfoil.Attempt{IP: here.IP}, UserAgent: here.UserAgent}
	return out
}

func (l *life) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *life) people() {
	l.t.Helper()
	ctx := l.t.Context()
	l.session()
	_, err := l.Registry.CreateRole(ctx, l.caller, l.org, counterfoil.RoleDraft{Name: "night-shift", Permissions: []string{"devices:read", "sites:read"}})
	l.must(err)
	for _, m := range []struct {
		email, name, role string
		status            counterfoil.MemberStatus
	}{
		{"grace@example.com", "Grace Hopper", "admin", counterfoil.MemberActive},
		{"linus@example.com", "Linus Pauling", "operator", counterfoil.MemberActive},
		{"marie@example.com", "Marie Curie", "night-shift", counterfoil.MemberSuspended},
		{"emmy@example.com", "Emmy Noether", "member", counterfoil.MemberInvited},
	} {
		l.ahead(time.Minute)
		made, err := l.Registry.AddMember(ctx, registry.Operator(), l.org, counterfoil.MemberDraft{Email: m.email, Name: m.name, Roles: []string{m.role}})
		l.must(err)
		if m.status != counterfoil.MemberInvited {
			_, _, err = l.Registry.EditMember(ctx, registry.Operator(), l.org, made.ID, counterfoil.MemberEdit{Status: &m.status})
			l.must(err)
		}
	}
	_, err = l.Registry.CreateIPFilter(ctx, l.caller, l.org, counterfoil.IPFilterDraft{Name: "Data centre", Rules: "# racks\nallow 192.0.2.0/24\nallow 2001:db8::/32\ndeny all"})
	l.must(err)
}

func (l *life) token(draft counterfoil.Draft) counterfoil.Created {
	l.t.Helper()
	l.ahead(time.Hour)
	l.session()
	made, err := l.Registry.CreateToken(l.t.Context(), l.caller, l.org, draft)
	l.must(err)
	return made
}

// member is who has an e-mail address.
func (l *life) member(email string) counterfoil.Member {
	l.t.Helper()
	list, err := l.Registry.Members(l.t.Context(), registry.Operator(), l.org, email, "", 1)
	l.must(err)
	if len(list.Data) == 0 {
		l.t.Fatalf("nobody has the address %s", email)
	}
	return list.Data[0]
}

func (l *life) tokens() {
	l.t.Helper()
	ctx := l.t.Context()
	days := func(n int64) *int64 { n *= 86400; return &n }
	l.collector = l.token(counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Collector, Berlin", Permissions: []string{"collectors:write", "devices:read"}, ExpiresIn: days(60)})
	laptop := l.token(counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "Laptop", Permissions: []string{"devices:read", "devices:write", "sites:read", "sites:write"}})
	ended := l.token(counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: "One-off import", Permissions: []string{"devices:write"}, ExpiresIn: days(7)})
	l.backup = l.token(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "Nightly backup", Permissions: []string{"devices:read", "sites:read"}, IPFilter: "Data centre"})
	l.report = l.token(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "Report builder", Permissions: []string{"reports:read", "reports:schedule"}, ExpiresIn: days(45)})
	old := l.token(counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "Old exporter", Permissions: []string{"devices:read"}})
	l.splunk = l.token(counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "Splunk, production"})
	l.token(counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationCustom, Name: "Audit script"})
	paused := true
	_, _, err := l.Registry.EditToken(ctx, l.caller, l.org, laptop.Token.ID, counterfoil.Edit{Paused: &paused})
	l.must(err)
	_, err = l.Registry.RotateToken(ctx, l.caller, l.org, l.report.Token.ID, 7*86400)
	l.must(err)
	_, err = l.Registry.RevokeToken(ctx, l.caller, l.org, old.Token.ID, "Replaced by the nightly backup")
	l.must(err)
	_ = ended // has expired by the end
}

// uses lets weeks pass in which the tokens are used and refused.
func (l *life) uses() {
	l.t.Helper()
	ask := func(value, ip, permission string, times int) {
		for range times {
			answer, err := l.Verifier.Verify(l.t.Context(), &verify.Request{Token: value, Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct,
				Permissions: []string{permission}, IP: netip.MustParseAddr(ip)}})
			l.must(err)
			if answer.Reference != "" {
				l.refusal = answer.Reference
			}
		}
	}
	for range 30 {
		l.ahead(24 * time.Hour)
		ask(l.collector.Secret, "198.51.100.23", "collectors:write", 3)
		ask(l.backup.Secret, "192.0.2.14", "devices:read", 1)
		l.Verifier.FlushUses()
	}
	ask(l.collector.Secret, "203.0.113.9", "devices:read", 1)
	ask(l.collector.Secret, "198.51.100.23", "sites:write", 2)
	ask(l.backup.Secret, "203.0.113.77", "devices:read", 1)
	l.Verifier.FlushUses()
	l.ahead(2 * time.Minute)
	l.Verifier.FlushRefusals()
	l.must(l.Registry.NoteExpired(l.t.Context()))
}
