package verify_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// refuse checks a token and returns the reference of its refusal.
func (o *organization) refuse(token string, a counterfoil.Attempt) string {
	o.Helper()
	r, err := o.Verify(context.Background(), &verify.Request{Token: o.tokens[token].Secret, Attempt: a})
	o.must(err)
	if r.Active() || r.Code == counterfoil.CodeInvalidToken {
		o.Fatalf("the check says %s, want a refusal with a reference", r.Code)
	}
	return r.Reference
}

// open explains a reference as an admin sees it; false: it cannot be opened.
func (o *organization) open(reference string) (counterfoil.Refusal, bool) {
	o.Helper()
	r, err := o.registry.Refusal(context.Background(), registry.Operator(), o.id, reference)
	if code, ok := err.(*counterfoil.Error); ok && code.Code == counterfoil.CodeNotFound { //nolint:errorlint // as it is returned
		return r, false
	}
	o.must(err)
	return r, true
}

// refusedEvents returns the metadata of the events token_refused of a token.
func (o *organization) refusedEvents(token string) (out []refusedEvent) {
	o.Helper()
	events, err := o.Follow(context.Background(), 0, 100_000)
	o.must(err)
	for _, e := range events {
		if e.Action == "token_refused" && e.Target.ID == o.tokens[token].Token.ID {
			m := refusedEvent{organization: e.OrganizationID}
			o.must(json.Unmarshal(e.Metadata, &m))
			out = append(out, m)
		}
	}
	return out
}

type refusedEvent struct {
	Code         counterfoil.Code `json:"code"`
	IP           string           `json:"ip_address"`
	Count        int64            `json:"count"`
	Reference    string           `json:"reference"`
	organization string
}

func TestRefusalsFold(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		o := start(t, c, nil).organization()
		write := reading()
		write.Permissions = []string{"devices:none"}
		first := o.refuse("organization", write)
		o.later(59 * time.Second)
		if again := o.refuse("organization", write); again != first || first == "" {
			t.Errorf("within the minute the references are %q and %q", first, again)
		}
		elsewhere := write
		elsewhere.IP = outside
		others := []string{o.refuse("organization", elsewhere), o.refuse("bob", write), o.refuse("ann", from(outside))}
		for _, other := range others {
			if other == first || other == "" {
				t.Errorf("another token, code or address shares the reference %q", first)
			}
		}

		o.FlushRefusals()
		got, ok := o.open(first)
		if !ok || got.Count != 2 || got.Code != missing || got.IP != inside.String() || got.TokenID != o.tokens["organization"].Token.ID ||
			got.LastAt.Sub(got.FirstAt) != 59*time.Second {
			t.Errorf("the reference opens as %+v, %t", got, ok)
		}
		if events := o.refusedEvents("organization"); len(events) != 0 {
			t.Errorf("before its minute is over a refusal has left %v", events)
		}

		o.refuse("organization", write)
		o.later(time.Second)
		next := o.refuse("organization", write) // the minute is over: a new one begins before anything was flushed
		if next == first {
			t.Error("a new minute shares the old reference")
		}
		o.FlushRefusals()
		o.FlushRefusals()
		want := refusedEvent{missing, inside.String(), 3, first, o.id}
		if events := o.refusedEvents("organization"); len(events) != 1 || events[0] != want {
			t.Errorf("the minute has left %+v, want once %+v", events, want)
		}
		for reference, count := range map[string]int64{first: 3, next: 1, others[1]: 1} {
			if got, ok := o.open(reference); !ok || got.Count != count {
				t.Errorf("a reference opens as %+v, %t, want a count of %d", got, ok, count)
			}
		}
		o.later(time.Minute)
		o.FlushRefusals()
		if events := o.refusedEvents("organization"); len(events) != 3 {
			t.Errorf("three minutes have left %+v", events)
		}
	})
}

// TestTraceEndsWithTheDecidingRule opens a refusal by every rule that a proven token can fail.
func TestTraceEndsWithTheDecidingRule(t *testing.T) {
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	selfless := reading()
	selfless.Audience = counterfoil.AudienceSplunk
	for _, c := range []struct {
		rule, token string
		a           counterfoil.Attempt
		prepare     func(*organization) error
		code        counterfoil.Code
	}{
		{"revoked", "ann", reading(), revoke("ann"), revoked},
		{"revoked", "bob", reading(), rotateUnseen("bob"), revoked},
		{"revoked", "organization", reading(), func(o *organization) error {
			_, err := o.registry.DeleteOrganization(context.Background(), registry.Operator(), o.id)
			return err
		}, revoked},
		{"paused", "system", reading(), edit("system", counterfoil.Edit{Paused: ptr(true)}), paused},
		{"organization", "ann", reading(), status(counterfoil.OrgSuspended), suspended},
		{"owner", "ann", reading(), member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberSuspended)}), inactive},
		{"audience", "organization", selfless, nil, counterfoil.CodeWrongAudience},
		{"kind", "organization", reading(), policy(counterfoil.KindOrganization, disallow), disabled},
		{"expiry", "ann", reading(), expire("ann"), expired},
		{"enforced_ip_filter", "organization", from(outside), policy(counterfoil.KindOrganization, enforce), wrongIP},
		{"own_ip_filter", "ann", from(netip.Addr{}), nil, wrongIP},
		{"permission", "ann", reading(), role("devices:write"), missing},
		{"endpoint", "organization", at("DELETE", "/api/devices/7"), nil, missing},
	} {
		o := in.organization()
		if c.prepare != nil {
			o.must(c.prepare(o))
		}
		reference := o.refuse(c.token, c.a)
		o.FlushRefusals()
		var stored store.Refusal
		o.must(o.View(context.Background(), o.of(c.token), func(tx *store.Tx) (err error) {
			stored, _, err = tx.Refusal(reference)
			return err
		}))
		var steps []counterfoil.TraceStep
		o.must(json.Unmarshal([]byte(stored.Trace), &steps))
		for i, step := range steps {
			if last := i == len(steps)-1; step.Passed == last || last && step.Rule != c.rule {
				t.Errorf("%s of %s, step %d: %+v", c.rule, c.token, i, step)
			}
		}
		if len(steps) == 0 || stored.Code != c.code {
			t.Errorf("%s of %s: code %s with %d steps", c.rule, c.token, stored.Code, len(steps))
		}
	}
}
