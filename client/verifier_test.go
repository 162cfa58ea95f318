package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/web"
)

// line is a transport that counts calls and can be cut.
type line struct {
	cut   atomic.Bool
	calls atomic.Int64 // but those that keep a verifier up to date
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.cut.Load() {
		return nil, errors.New("the line is cut")
	}
	if strings.HasPrefix(r.URL.Path, "/v1/verify") && r.Method == http.MethodPost {
		l.calls.Add(1)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		answer.Body = &body{answer.Body, l}
	}
	return answer, err
}

// body ends when the line is cut.
type body struct {
	inner interface {
		Read([]byte) (int, error)
		Close() error
	}
	line *line
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p)
	if b.line.cut.Load() {
		return 0, errors.New("the line is cut")
	}
	return n, err
}
func (b *body) Close() error { return b.inner.Close() }

// local is a server and a verifier that follows it.
type local struct {
	*counterfoiltest.Server
	t        *testing.T
	line     *line
	verifier *client.Verifier
}

func ptrTo[T any](v T) *T { return &v }

var here = netip.MustParseAddr("10.1.2.3")

func newLocal(t *testing.T, config client.VerifierConfig) *local {
	l := &local{Server: counterfoiltest.Start(t), t: t, line: &line{}}
	l.follow(config)
	return l
}

func (l *local) follow(config client.VerifierConfig) {
	l.t.Helper()
	c := client.New(l.URL, l.SystemToken, client.WithHTTPClient(&http.Client{Transport: l.line}))
	v, err := client.NewVerifier(c, config)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { v.Close(); http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	l.verifier = v
	l.trusted()
}

func (l *local) trusted() {
	l.t.Helper()
	l.until("it trusts what it remembers", func() bool { _, ok := l.verifier.Staleness(); return ok })
}

func (l *local) until(what string, met func() bool) {
	l.t.Helper()
	for end := time.Now().Add(20 * time.Second); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			l.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func (l *local) check(secret string, permissions ...string) counterfoil.Verdict {
	l.t.Helper()
	v, err := l.verifier.Verify(l.t.Context(), secret, counterfoil.Attempt{Permissions: permissions, IP: here})
	if err != nil {
		l.t.Fatal(err)
	}
	return v
}

// warm has a token known, and proves that it is judged without a call.
func (l *local) warm(secret string, permissions ...string) {
	l.t.Helper()
	if v := l.check(secret, permissions...); !v.Active {
		l.t.Fatalf("before: %+v", v)
	}
	calls := l.line.calls.Load()
	if v := l.check(secret, permissions...); !v.Active || l.line.calls.Load() != calls {
		l.t.Fatalf("known: %+v, after %d calls", v, l.line.calls.Load()-calls)
	}
}

// TestVerifierKnowsAtOnce: when a change that narrows is answered, the verifier goes by it, and the receipt names the verifier.
func TestVerifierKnowsAtOnce(t *testing.T) {
	l := newLocal(t, client.VerifierConfig{})
	owner, system, ctx := l.Client(), l.System(), t.Context()
	role := must(owner.CreateRole(ctx, current, counterfoil.RoleDraft{Name: "reader", Permissions: []string{"devices:read", "devices:write"}}))(t)
	filter := must(owner.CreateIPFilter(ctx, current, counterfoil.IPFilterDraft{Name: "office", Rules: "allow all"}))(t)
	paused, status, suspended := true, counterfoil.MemberSuspended, counterfoil.OrgSuspended
	rows := []struct {
		what string
		code counterfoil.Code
		do   func(made counterfoil.Created, m counterfoiltest.Member, as *client.Client, o client.CallOption) error
		undo func() error
	}{
		{"revoked", counterfoil.CodeTokenRevoked, func(made counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := owner.RevokeToken(ctx, current, made.Token.ID, "", o)
			return err
		}, nil},
		{"paused", counterfoil.CodeTokenPaused, func(made counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := owner.EditToken(ctx, current, made.Token.ID, counterfoil.Edit{Paused: &paused}, o)
			return err
		}, nil},
		{"fewer permissions", counterfoil.CodeMissingPermission, func(made counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := as.EditToken(ctx, current, made.Token.ID, counterfoil.Edit{Permissions: &[]string{"devices:write"}}, o)
			return err
		}, nil},
		{"rotated", counterfoil.CodeTokenRevoked, func(made counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := as.RotateToken(ctx, current, made.Token.ID, 0, o)
			return err
		}, nil},
		{"filter", counterfoil.CodeIPNotAllowed, func(_ counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := owner.EditIPFilter(ctx, current, filter.ID, counterfoil.IPFilterEdit{Rules: ptrTo("deny 10.1.2.3\nallow all")}, o)
			return err
		}, func() error {
			_, err := owner.EditIPFilter(ctx, current, filter.ID, counterfoil.IPFilterEdit{Rules: ptrTo("allow all")})
			return err
		}},
		{"role", counterfoil.CodeMissingPermission, func(_ counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := owner.EditRole(ctx, current, role.ID, counterfoil.RoleEdit{Permissions: []string{"devices:write"}}, o)
			return err
		}, func() error {
			_, err := owner.EditRole(ctx, current, role.ID, counterfoil.RoleEdit{Permissions: []string{"devices:read", "devices:write"}})
			return err
		}},
		{"member", counterfoil.CodeOwnerInactive, func(_ counterfoil.Created, m counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := owner.EditMember(ctx, current, m.ID, counterfoil.MemberEdit{Status: &status}, o)
			return err
		}, nil},
		{"leaver", counterfoil.CodeTokenRevoked, func(_ counterfoil.Created, m counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			return owner.RemoveMember(ctx, current, m.ID, o)
		}, nil},
		{"policy", counterfoil.CodeKindDisabled, func(_ counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := system.SetPolicy(ctx, l.Organization.ID, counterfoil.KindPersonal, counterfoil.PolicyEdit{Allowed: ptrTo(false)}, o)
			return err
		}, func() error {
			_, err := system.SetPolicy(ctx, l.Organization.ID, counterfoil.KindPersonal, counterfoil.PolicyEdit{Allowed: ptrTo(true)})
			return err
		}},
		{"organization", counterfoil.CodeOrganizationSuspended, func(_ counterfoil.Created, _ counterfoiltest.Member, as *client.Client, o client.CallOption) error {
			_, err := system.EditOrganization(ctx, l.Organization.ID, counterfoil.OrganizationEdit{Status: &suspended}, o)
			return err
		}, nil},
	}
	for _, row := range rows {
		m, as := l.Member(t, "reader")
		made := must(as.CreateToken(ctx, current, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: row.what, Permissions: []string{"devices:read", "devices:write"}, IPFilter: filter.ID}))(t)
		l.warm(made.Secret, "devices:read")
		var answer client.Response
		if err := row.do(made, m, as, client.Into(&answer)); err != nil {
			t.Fatalf("%s: %v", row.what, err)
		}
		if v := l.check(made.Secret, "devices:read"); v.Active || v.Code != row.code {
			t.Errorf("%s: the next check says %s", row.what, v.Code)
		}
		if answer.Receipt == nil {
			if row.what != "revoked" && row.what != "rotated" {
				t.Errorf("%s: there is no receipt", row.what)
			}
			continue
		}
		receipt := must(system.Receipt(ctx, answer.Receipt.ID))(t)
		named := false
		for _, n := range receipt.Nodes {
			named = named || strings.HasPrefix(n.ID, "ver_") && n.ConfirmedInMS != nil
		}
		if !named || !receipt.Complete {
			t.Errorf("%s: the receipt does not name the verifier: %+v", row.what, receipt)
		}
		if row.undo != nil {
			if err := row.undo(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestVerifierCutOff: one that hears nothing goes by what it remembers for its staleness at most; a revocation waits for that,
// once; afterwards it asks, or denies, and it comes back.
func TestVerifierCutOff(t *testing.T) {
	l := newLocal(t, client.VerifierConfig{MaxStaleness: time.Second, OnLimit: client.Deny})
	made := l.Token(t, "devices:read")
	l.warm(made.Secret, "devices:read")
	l.line.cut.Store(true)
	if v := l.check(made.Secret, "devices:read"); !v.Active {
		t.Errorf("cut off for a moment it says %s", v.Code)
	}
	revoked := must(l.Client().RevokeToken(t.Context(), current, made.Token.ID, ""))(t)
	if v, err := l.verifier.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: here}); v.Active || !errors.Is(err, client.ErrStale) {
		t.Errorf("after the revocation was answered: %+v, %v", v, err)
	}
	fenced := 0
	for _, n := range revoked.Receipt.Nodes {
		if strings.HasPrefix(n.ID, "ver_") && n.Fenced && n.ConfirmedInMS == nil {
			fenced++
		}
	}
	if fenced != 1 || !revoked.Receipt.Complete {
		t.Errorf("the receipt: %+v", revoked.Receipt)
	}
	again := must(l.Client().RevokeToken(t.Context(), current, l.Token(t, "devices:read").Token.ID, ""))(t)
	if len(again.Receipt.Nodes) != 1 {
		t.Errorf("it is waited for again: %+v", again.Receipt)
	}
	l.line.cut.Store(false)
	l.trusted()
	if v := l.check(made.Secret, "devices:read"); v.Active || v.Code != counterfoil.CodeTokenRevoked || v.Reference == "" {
		t.Errorf("back again: %+v", v)
	}
	l.warm(l.Token(t, "devices:read").Secret, "devices:read")
}

// TestVerifierRestart: a process that has just started waits for the verifiers of the one before, of which it knows nothing.
func TestVerifierRestart(t *testing.T) {
	l := newLocal(t, client.VerifierConfig{OnLimit: client.Deny})
	made := l.Token(t, "devices:read")
	l.warm(made.Secret, "devices:read")
	l.line.cut.Store(true) // it hears nothing of the restart, and trusts what it remembers
	l.Restart()
	must(l.Client().RevokeToken(t.Context(), current, made.Token.ID, ""))(t)
	if v, err := l.verifier.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: here}); v.Active {
		t.Errorf("after a restart and a revocation: %+v, %v", v, err)
	}
	l.line.cut.Store(false)
	l.trusted()
	l.warm(l.Token(t, "devices:read").Secret, "devices:read")
}

// TestVerifierAsks: what it may not judge, it asks about.
func TestVerifierAsks(t *testing.T) {
	if _, err := client.NewVerifier(client.New("http://127.0.0.1:1", ""), client.VerifierConfig{MaxStaleness: time.Minute}); err == nil {
		t.Error("a staleness of a minute is taken")
	}
	l := newLocal(t, client.VerifierConfig{})
	made := l.Token(t, "devices:read")
	if v := l.check("nonsense"); v.Active || v.Code != counterfoil.CodeInvalidToken || v.Message == "" {
		t.Errorf("nonsense: %+v", v)
	}
	l.warm(made.Secret)
	if v := l.check(made.Secret, "devices:write"); v.Code != counterfoil.CodeMissingPermission || v.Reference == "" {
		t.Errorf("a permission that it lacks: %+v", v)
	}
	for _, q := range []struct{ method, path string }{{"GET", "/api/devices/7"}, {"POST", "/api/devices"}, {"GET", "/api/none"}} {
		asked := must(l.System().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Endpoint: q.method + " " + q.path, IP: here.String()}))(t)
		got, err := l.verifier.Verify(t.Context(), made.Secret, counterfoil.Attempt{Method: q.method, Path: q.path, IP: here})
		if err != nil || got.Code != asked.Code || got.Active != asked.Active {
			t.Errorf("%s %s: %s here, %s at the server (%v)", q.method, q.path, got.Code, asked.Code, err)
		}
	}
	l.until("its uses are told", func() bool {
		token := must(l.Client().Token(t.Context(), current, made.Token.ID))(t)
		return token.LastUsed != nil && token.LastUsed.IP == here.String()
	})
	must(l.Client().RotateToken(t.Context(), current, made.Token.ID, time.Hour))(t)
	if v, err := l.verifier.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: here}); err != nil || !v.Active {
		t.Errorf("the value before a rotation, in its grace: %+v, %v", v, err)
	}
	l.until("the use of the value before is told", func() bool {
		p := must(l.Client().PreviousValue(t.Context(), current, made.Token.ID))(t)
		return p.LastUsed != nil && p.LastUsed.IP == here.String()
	})
	if l.verifier.Tokens() == 0 {
		t.Error("it remembers nothing")
	}
	l.line.cut.Store(true)
	l.until("it does not go by what it remembers", func() bool { _, ok := l.verifier.Staleness(); return !ok })
	if _, err := l.verifier.Verify(t.Context(), made.Secret, counterfoil.Attempt{}); err == nil {
		t.Error("nobody knows, and it says so to nobody")
	}
}

// TestVerifierMiddleware lets through what may pass, and answers the rest.
func TestVerifierMiddleware(t *testing.T) {
	l := newLocal(t, client.VerifierConfig{})
	made := l.Token(t, "devices:read")
	devices := httptest.NewServer(l.verifier.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := client.VerdictOf(r.Context())
		if !ok || v.Token.ID != made.Token.ID {
			t.Errorf("the verdict in the context: %+v", v)
		}
		w.WriteHeader(http.StatusNoContent)
	}), client.Guard{}))
	defer devices.Close()
	for _, test := range []struct {
		path   string
		header http.Header
		status int
	}{
		{"/api/devices", http.Header{"Authorization": {"Bearer " + made.Secret}}, 204},
		{"/api/devices", http.Header{"Authorization": {made.Secret}}, 204},
		{"/api/devices", http.Header{"X-Api-Key": {made.Secret}}, 204},
		{"/api/devices", http.Header{"X-Api-Key": {made.Secret}, "Authorization": {"Bearer " + made.Secret}}, 204},
		{"/api/devices", http.Header{"X-Api-Key": {made.Secret}, "Authorization": {"Bearer other"}}, 400},
		{"/api/devices", nil, 401},
		{"/api/devices", http.Header{"Authorization": {"Basic abc"}}, 401},
		{"/api/devices", http.Header{"Authorization": {"Bearer nonsense"}}, 401},
		{"/api/none", http.Header{"Authorization": {"Bearer " + made.Secret}}, 403},
	} {
		r := must(http.NewRequest(http.MethodGet, devices.URL+test.path, nil))(t)
		r.Header = test.header.Clone()
		answer := must(http.DefaultClient.Do(r))(t)
		body := must(io.ReadAll(answer.Body))(t)
		answer.Body.Close()
		var p web.ProblemDetails
		_ = json.Unmarshal(body, &p) // the status tells whether there is one
		if answer.StatusCode != test.status || answer.StatusCode >= 400 && answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %v: %d, want %d", test.path, test.header, answer.StatusCode, test.status)
		}
		if test.status == 204 {
			continue
		}
		if as := web.NewProblem(counterfoil.Refuse(p.Code, "")); p.Type != as.Type || p.Title != as.Title || p.Status != as.Status || p.Detail == "" ||
			p.RequestID == "" || p.RequestID != answer.Header.Get("X-Request-Id") {
			t.Errorf("%s %v: the problem is %+v, the service's would be %+v", test.path, test.header, p, as)
		}
		if test.status == 400 {
			continue // which gateways do not pass on: the service says 401
		}
		asked := must(http.NewRequest(http.MethodGet, l.URL+"/v1/authorize", nil))(t)
		asked.Header = test.header.Clone()
		if asked.Header == nil {
			asked.Header = http.Header{}
		}
		asked.Header.Set("X-Forwarded-Method", http.MethodGet)
		asked.Header.Set("X-Forwarded-Uri", test.path)
		service := must(http.DefaultClient.Do(asked))(t)
		servicesBody := must(io.ReadAll(service.Body))(t)
		service.Body.Close()
		named := regexp.MustCompile(`ref_[0-9a-z]+|"request_id":"[0-9a-z]{16}"`)
		if got, want := named.ReplaceAllString(string(body), "…"), named.ReplaceAllString(string(servicesBody), "…"); got != want {
			t.Errorf("%s %v: the body is\n%s, the service's\n%s", test.path, test.header, got, want)
		}
		for name, want := range service.Header {
			if got := answer.Header[name]; !slices.Contains([]string{"Date", "Content-Length", "X-Request-Id"}, name) && !slices.Equal(got, want) {
				t.Errorf("%s %v: %s is %q, the service's %q", test.path, test.header, name, got, want)
			}
		}
	}
}

// BenchmarkVerifier is a warm check, beside what nothing could undercut: the hash of the value and a read of a map.
func BenchmarkVerifier(b *testing.B) {
	server := counterfoiltest.Start(b)
	v, err := client.NewVerifier(client.New(server.URL, server.SystemToken), client.VerifierConfig{})
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	secret := server.Token(b, "devices:read").Secret
	attempt := counterfoil.Attempt{Permissions: []string{"devices:read"}, IP: here}
	for _, ok := v.Staleness(); !ok; _, ok = v.Staleness() {
		time.Sleep(time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		if verdict, err := v.Verify(context.Background(), secret, attempt); err != nil || !verdict.Active {
			b.Fatal(verdict, err)
		}
	}
}

var verifierRows = []row{
	{"FollowChanges", "GET /v1/changes", func(t *testing.T, w *world) {
		stop := errors.New("enough")
		var first, next counterfoil.Changes
		err := w.system.FollowChanges(t.Context(), -1, nil, time.Minute, func(m counterfoil.Changes) error { first = m; return stop })
		if !errors.Is(err, stop) || first.Number == 0 {
			t.Errorf("the first message is %+v (%v)", first, err)
		}
		made := w.Token(t, "devices:read")
		err = w.system.FollowChanges(t.Context(), first.Number, first.Hash, time.Minute, func(m counterfoil.Changes) error { next = m; return stop })
		if !errors.Is(err, stop) || next.Number <= first.Number || len(next.Changes) != 1 || next.Changes[0] != (counterfoil.Change{Scope: counterfoil.ScopeToken, ID: made.Token.ID}) {
			t.Errorf("behind it %+v (%v)", next, err)
		}
		if err := w.system.FollowChanges(t.Context(), 1<<40, nil, time.Minute, nil); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
			t.Errorf("behind an entry that is not there: %v", err)
		}
		if err := w.system.FollowChanges(t.Context(), first.Number, next.Hash, time.Minute, nil); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
			t.Errorf("another log: %v", err)
		}
		if err := w.system.FollowChanges(t.Context(), -1, nil, time.Millisecond, func(counterfoil.Changes) error { time.Sleep(time.Millisecond); return nil }); err == nil {
			t.Error("a silent stream does not end")
		}
	}},
	{"ReportVerifier", "PUT /v1/verifiers/{verifier}", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		report := counterfoil.VerifierReport{LeaseMS: 500, Uses: []counterfoil.VerifierUse{{Token: made.Token.ID, IP: "192.0.2.7", Count: 3, LastAt: time.Now()}, {Token: "tok_none", Count: 1, LastAt: time.Now()}}}
		lease := must(w.system.ReportVerifier(t.Context(), "ver_0123456789abcdefg", report))(t)
		if lease.Number == 0 || lease.LeaseMS != 500 {
			t.Errorf("the lease is %+v", lease)
		}
		if _, err := w.system.ReportVerifier(t.Context(), "ver_0123456789abcdefg", counterfoil.VerifierReport{Applied: lease.Number + 1000, LeaseMS: 500}); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
			t.Errorf("further than the log: %v", err)
		}
		report.Applied, report.Hash = lease.Number, []byte("another")
		if _, err := w.system.ReportVerifier(t.Context(), "ver_0123456789abcdefg", report); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
			t.Errorf("of another log: %v", err)
		}
	}},
	{"LeaveVerifier", "DELETE /v1/verifiers/{verifier}", func(t *testing.T, w *world) {
		if err := w.system.LeaveVerifier(t.Context(), "ver_0123456789abcdefg"); err != nil {
			t.Error(err)
		}
		if err := w.system.LeaveVerifier(t.Context(), "me"); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeInvalidRequest}) {
			t.Errorf("an id of another form: %v", err)
		}
	}},
	{"Facts", "POST /v1/verifiers/{verifier}/facts", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		q := counterfoil.FactsQuestion{Token: made.Secret}
		answer := must(w.system.Facts(t.Context(), "ver_0123456789abcdefg", q))(t)
		if answer.Code != counterfoil.CodeOK || answer.Facts.Token.ID != made.Token.ID || len(answer.Facts.Catalogue.Permissions) == 0 {
			t.Errorf("the facts are %+v", answer)
		}
		q.Catalogue = answer.Facts.Catalogue.Version
		if again := must(w.system.Facts(t.Context(), "ver_0123456789abcdefg", q))(t); again.Facts.Catalogue.Permissions != nil {
			t.Error("a known catalogue is told again")
		}
		if _, err := w.as(w.Token(t, counterfoil.PermTokensVerify).Secret).Facts(t.Context(), "ver_0123456789abcdefg", q); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeMissingPermission}) {
			t.Errorf("an organization's token is told: %v", err)
		}
	}},
}

// A verifier that has applied more than the log holds followed another log: of this one it counts as knowing nothing.
func TestVerifierOfAnotherLogIsWaitedFor(t *testing.T) {
	s := counterfoiltest.Start(t)
	const id = "ver_0123456789abcdefg"
	lease := must(s.System().ReportVerifier(t.Context(), id, counterfoil.VerifierReport{LeaseMS: 500}))(t)
	if _, err := s.System().ReportVerifier(t.Context(), id, counterfoil.VerifierReport{Applied: lease.Number + 1000, LeaseMS: 500}); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
		t.Fatal(err)
	}
	revoked := must(s.Client().RevokeToken(t.Context(), current, s.Token(t, "devices:read").Token.ID, ""))(t)
	if n := revoked.Receipt.Nodes; len(n) != 2 || !n[1].Fenced || n[1].ConfirmedInMS != nil {
		t.Errorf("the receipt takes its word: %+v", n)
	}
}
