package verify_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// TestRefusalsKeepNoSecret plants the token's value wherever a caller can put text.
func TestRefusalsKeepNoSecret(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		o := start(t, c, nil).organization()
		value := o.tokens["organization"].Secret
		a := at("GET", "/nowhere/"+value+"/"+value+"?access_token="+value+"&other=canary-in-query")
		a.Permissions = []string{value, "devices:read", "x\x00\xff" + strings.Repeat("long ", 300)}
		for i := range 50 {
			a.Permissions = append(a.Permissions, fmt.Sprintf("p:%d", i))
		}
		b := at("GET\x00", "/\xff\x00nowhere/"+strings.Repeat("é", 5000)+value)
		asked := reading()
		asked.Permissions = []string{value, strings.Repeat("a", 70) + value}
		r, err := o.Verify(context.Background(), &verify.Request{Token: value, Attempt: asked})
		o.must(err)
		if text := r.Message(); strings.Contains(text, value[20:28]) || !strings.Contains(text, value[:20]+"xxx") {
			t.Errorf("the caller is told %q", text)
		}
		for _, attempt := range []counterfoil.Attempt{a, b} {
			reference := o.refuse("organization", attempt)
			o.FlushRefusals()
			got, ok := o.open(reference)
			if !ok {
				t.Fatalf("the reference cannot be opened; the log says %s", o.log)
			}
			text, err := json.Marshal(got)
			o.must(err)
			if secret := value[len("cfl_pat_")+12:]; strings.Contains(string(text), secret[:10]) || strings.Contains(string(text), "canary") {
				t.Errorf("a refusal keeps a secret: %s", text)
			}
			if len(text) > 8000 {
				t.Errorf("a refusal keeps %d bytes", len(text))
			}
			if !strings.Contains(got.Endpoint, "nowhere/") {
				t.Errorf("the endpoint is kept as %q", got.Endpoint)
			}
		}
		if strings.Contains(o.log.String(), value) {
			t.Error("the log holds the token")
		}
	})
}

// TestRefusalsAreBounded refuses one token from more addresses than are remembered.
func TestRefusalsAreBounded(t *testing.T) {
	o := start(t, store.Config{Dir: t.TempDir()}, nil).organization()
	const most = 50
	o.LimitRefusals(most)
	ip := netip.MustParseAddr("2001:db8::")
	var references []string
	for range 3 * most {
		ip = ip.Next()
		if reference := o.refuse("ann", from(ip)); reference != "" {
			references = append(references, reference)
		}
	}
	if n := len(references); n != most {
		t.Errorf("%d references were given out, want %d", n, most)
	}
	o.later(time.Minute)
	if o.refuse("ann", from(ip)) != "" {
		t.Error("refusals that wait to be written do not count")
	}
	o.FlushRefusals()
	if o.refuse("ann", from(ip)) == "" {
		t.Error("when all is written there is still no reference")
	}
	for _, reference := range references {
		if _, ok := o.open(reference); !ok {
			t.Errorf("%s cannot be opened", reference)
		}
	}
}

// TestRefusalsOfOnePermissionEach asks one token, from one address and within a minute, for one thing after another: each
// reference tells of its own, up to a bound, and the log has one event that counts them all.
func TestRefusalsOfOnePermissionEach(t *testing.T) {
	o := start(t, store.Config{Dir: t.TempDir()}, nil).organization()
	const most = 20
	o.must(edit("organization", counterfoil.Edit{Permissions: &[]string{"devices:read"}})(o))
	ask := func(permissions ...string) string {
		a := reading()
		a.Permissions = permissions
		return o.refuse("organization", a)
	}
	one, two, both := ask("devices:none"), ask("devices:nil"), ask("devices:none", "devices:nil")
	unlisted, other := o.refuse("organization", at("GET", "/nowhere/1?x=1")), o.refuse("organization", at("GET", "/nowhere/2"))
	closed, again := o.refuse("organization", at("PUT", "/api/devices/7")), o.refuse("organization", at("PUT", "/api/devices/8"))
	if closed != again || closed == "" {
		t.Errorf("two devices need the same permission, but have the references %q and %q", closed, again)
	}
	if same := o.refuse("organization", at("GET", "/nowhere/1?x=2")); same != unlisted {
		t.Error("a query makes another reference of the same endpoint")
	}
	o.FlushRefusals()
	for reference, want := range map[string]string{one: "devices:none", two: "devices:nil", both: "devices:nil devices:none", unlisted: "", other: "", closed: ""} {
		got, ok := o.open(reference)
		if asked := strings.Join(got.Asked, " "); !ok || asked != want {
			t.Errorf("a reference opens with %q asked for, want %q", asked, want)
		}
	}
	if got, _ := o.open(other); got.Endpoint != "GET /nowhere/2" || got.Count != 1 {
		t.Errorf("the other endpoint is told as %q, %d times", got.Endpoint, got.Count)
	}
	for i := 6; i < most; i++ {
		if ask(fmt.Sprintf("p:%d", i)) == "" {
			t.Errorf("thing %d has no reference", i)
		}
	}
	if ask("p:over") != "" {
		t.Error("the bound is not kept")
	}
	o.later(time.Minute)
	o.FlushRefusals()
	if events := o.refusedEvents("organization"); len(events) != 1 || events[0].Count != 6+2+14+1 || events[0].Reference != one {
		t.Errorf("the minute has left %+v", events)
	}
	if ask("p:over") == "" {
		t.Error("the next minute has no reference")
	}
}

// TestNoRefusalIsLost counts many refusals at once while windows close, everything is flushed and at last all is closed:
// the events together tell them all, and each reference once.
func TestNoRefusalIsLost(t *testing.T) {
	in := start(t, store.Config{Dir: t.TempDir()}, nil)
	o := in.organization()
	const checkers, checks = 4, 400
	var group sync.WaitGroup
	for range checkers {
		group.Go(func() {
			for i := range checks {
				o.refuse("ann", from(outside))
				if i%20 == 0 {
					o.later(7 * time.Second)
					o.FlushRefusals()
				}
			}
		})
	}
	group.Wait()
	in.Verifier.Close()
	total, seen := int64(0), map[string]bool{}
	for _, e := range o.refusedEvents("ann") {
		if seen[e.Reference] {
			t.Errorf("%s has left two events", e.Reference)
		}
		seen[e.Reference] = true
		total += e.Count
		if r, ok := o.open(e.Reference); !ok || r.Count != e.Count {
			t.Errorf("the reference opens with %d, its event says %d", r.Count, e.Count)
		}
	}
	if total != checkers*checks || len(seen) < 5 {
		t.Errorf("%d events tell of %d refusals, want %d", len(seen), total, checkers*checks)
	}
}
