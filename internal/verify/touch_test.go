package verify_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
)

// lastUse is what an admin sees.
func (o *organization) lastUse(token string) *counterfoil.LastUsed {
	o.Helper()
	face, err := o.registry.Token(context.Background(), registry.Operator(), o.of(token), o.tokens[token].Token.ID)
	o.must(err)
	return face.LastUsed
}

// uses counts the recorded uses of a token by address.
func (o *organization) uses(token string) map[string]int64 {
	o.Helper()
	out, err := o.tryUses(token)
	o.must(err)
	return out
}

func (o *organization) tryUses(token string) (map[string]int64, error) {
	out := map[string]int64{}
	return out, o.View(context.Background(), o.of(token), func(tx *store.Tx) error {
		list, err := tx.UsesSince(o.tokens[token].Token.Kind, 0)
		for _, u := range list {
			if u.Token == o.tokens[token].Token.ID {
				out[u.IP] += u.Count
			}
		}
		return err
	})
}

func TestLastUse(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		o := start(t, c, nil).organization()
		if use := o.lastUse("organization"); use != nil {
			t.Errorf("before its first use it was used at %v", use)
		}
		value := o.tokens["organization"].Secret
		for _, ip := range []netip.Addr{inside, outside, inside, {}, outside} {
			o.later(time.Second)
			o.wants(value, from(ip), counterfoil.CodeOK)
		}
		last := o.Store.Now().Time()
		refused := reading()
		refused.Permissions = []string{"devices:none"}
		o.later(time.Second)
		o.wants(value, refused, missing)
		if _, err := o.Find(context.Background(), value); err != nil {
			t.Error(err)
		}
		o.FlushUses()
		o.FlushUses()
		if use := o.lastUse("organization"); use == nil || !use.At.Equal(last) || use.IP != outside.String() {
			t.Errorf("the last use is %+v, want %v from %v; a refusal and Find are no uses", use, last, outside)
		}
		if got, want := fmt.Sprint(o.uses("organization")), fmt.Sprint(map[string]int64{"": 1, inside.String(): 2, outside.String(): 2}); got != want {
			t.Errorf("the uses by address are %s, want %s", got, want)
		}
		if o.lastUse("bob") != nil {
			t.Error("another token's use was noted")
		}
	})
}

// TestNoUseIsLost checks many tokens at once and closes: every use is there, and the last one is the last.
func TestNoUseIsLost(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		o := start(t, c, nil).organization()
		const checkers, checks = 4, 3000
		var group sync.WaitGroup
		for n := range checkers {
			group.Go(func() {
				ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})
				for i := range checks {
					token := kinds[i%3]
					o.wants(o.tokens[token].Secret, from(ip), counterfoil.CodeOK)
					if i%1000 == 500 {
						o.FlushUses()
					}
				}
			})
		}
		group.Wait()
		o.Verifier.Close()
		o.Verifier.Close() // again: nothing
		for _, token := range kinds[:3] {
			uses := o.uses(token)
			for n := range checkers {
				if got := uses[fmt.Sprintf("10.0.0.%d", n)]; got != checks/3 {
					t.Errorf("of %d uses of %s from one address %d were counted", checks/3, token, got)
				}
			}
		}
	})
}

// TestUsesThatAreLostAreSaid: a stop during an outage says what goes with it, however shortly before the outage was spoken of.
func TestUsesThatAreLostAreSaid(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	o := start(t, store.Config{DatabaseURL: server.URL()}, nil).organization()
	for range 3 {
		o.wants(o.tokens["bob"].Secret, reading(), counterfoil.CodeOK)
	}
	o.must(server.Stop())
	o.FlushUses()
	o.Verifier.Close()
	if !strings.Contains(o.log.String(), "last uses are lost") || !strings.Contains(o.log.String(), "uses=3") {
		t.Errorf("the log does not say that three uses are lost: %s", o.log)
	}
}

// TestUsesOutliveTheDatabase keeps uses while the database is away and writes them when it is back.
func TestUsesOutliveTheDatabase(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	o := start(t, store.Config{DatabaseURL: server.URL()}, nil).organization()
	for range 3 {
		o.wants(o.tokens["bob"].Secret, reading(), counterfoil.CodeOK)
	}
	over := o.refuse("ann", from(netip.Addr{}))
	o.later(time.Minute)
	refused := o.refuse("ann", from(outside))
	o.must(server.Stop())
	for range 3 {
		o.FlushUses()
	}
	o.FlushRefusals()
	for _, line := range []string{"writing last uses", "writing refused checks"} {
		if !strings.Contains(o.log.String(), line) {
			t.Errorf("the log does not say %q: %s", line, o.log)
		}
	}
	if n := strings.Count(o.log.String(), "writing last uses"); n > 1 {
		t.Errorf("an outage of a moment is said %d times", n)
	}
	o.must(server.Restart())
	// Connections that the server had closed fail once each.
	eventually(t, "the uses are written", func() bool {
		o.FlushUses()
		uses, err := o.tryUses("bob")
		return err == nil && uses[inside.String()] > 0
	})
	if got := o.uses("bob")[inside.String()]; got != 3 {
		t.Errorf("of 3 uses %d were counted", got)
	}
	for _, reference := range []string{over, refused} {
		eventually(t, "the refusal is written", func() bool {
			o.FlushRefusals()
			r, err := o.registry.Refusal(context.Background(), registry.Operator(), o.id, reference)
			return err == nil && r.Count == 1
		})
	}
}
