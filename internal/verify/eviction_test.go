package verify_test

import (
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// cacheName says which of the caches would answer wrongly if a change were not made known to it.
type cacheName string

const (
	tokenRecord cacheName = "token record"
	orgRules    cacheName = "organization rules"
	memberRight cacheName = "member rights"
	catalogue   cacheName = "catalogue"
	none        cacheName = "none" // the change is of no consequence to tokens in use
)

// change is one way in which an operation changes what is accepted.
type change struct {
	op    *registry.Operation
	name  string
	stale cacheName
	token string              // whose check changes
	a     counterfoil.Attempt // how it is used; the zero Attempt: the ordinary use
	// prepare brings about what the change starts from, if the fresh organization is not it.
	prepare func(*organization) error
	narrow  func(*organization) error
	want    counterfoil.Code          // after narrow
	widen   func(*organization) error // nil: there is no way back
	// staleBack is the cache that the way back concerns, where it is another.
	staleBack cacheName
}

// TestEveryChangeIsSeenAtOnce warms the caches with a check that is accepted, makes the change through the registry, and
// asks again: the very next answer must be the new one, for this token and for every other, as a Verifier that remembers
// nothing would give it, and at another node as well. A deaf Verifier, which is told of nothing, must still give the old answer: else the change would
// prove nothing about the cache.
func TestEveryChangeIsSeenAtOnce(t *testing.T) {
	each(t, func(t *testing.T, c store.Config) {
		in := start(t, c, nil)
		if c.DatabaseURL != "" {
			in.remote = in.node(c)
		}
		for _, c := range changes {
			t.Run(c.op.Name+"/"+c.name, func(t *testing.T) {
				defer in.borrow(t)()
				in.apply(wholeCatalogue)
				c.run(in.organization())
			})
		}
	})
}

// borrow reports to a subtest until the returned function is called.
func (in *instance) borrow(t testing.TB) func() {
	outer := in.TB
	in.TB = t
	return func() { in.TB = outer }
}

func (c change) run(o *organization) {
	o.Helper()
	if c.prepare != nil {
		o.must(c.prepare(o))
	}
	a := c.a
	if a.Audience == "" {
		a = o.use(c.token)
	}
	value, deaf := o.tokens[c.token].Secret, o.another()
	o.warm(deaf)
	before := o.answers(o.Verifier)
	o.elsewhere(before)
	o.wants(value, a, counterfoil.CodeOK)
	if code := check(o, deaf, value, a); code != counterfoil.CodeOK {
		o.Fatalf("the deaf one begins with %s", code)
	}

	o.must(c.narrow(o))
	o.wants(value, a, c.want)
	o.elsewhere(o.answers(o.Verifier))
	after := o.compare("after narrowing")
	told := check(o, deaf, value, a) != counterfoil.CodeOK
	if wantTold := c.stale == catalogue; c.stale != none && told != wantTold {
		o.Errorf("a Verifier that is told of nothing sees the change: %t", told)
	}
	if c.stale == none && after != before {
		o.Errorf("a change of no consequence changed the answers:\n%s\n%s", before, after)
	}

	if c.widen == nil {
		return
	}
	stale := c.stale
	if c.staleBack != "" {
		stale = c.staleBack
	}
	deaf = o.another()
	o.warm(deaf)
	refused := check(o, deaf, value, a)
	o.must(c.widen(o))
	o.wants(value, a, counterfoil.CodeOK)
	if c.op.Narrows {
		o.elsewhere(before)
	}
	if o.compare("after widening") != before {
		o.Errorf("the way back does not lead to where it began")
	}
	if code := check(o, deaf, value, a); stale != catalogue && code != refused {
		o.Errorf("a Verifier that is told of nothing sees the way back")
	}
}

// elsewhere asks the other node, which must say the same.
func (o *organization) elsewhere(want string) {
	o.Helper()
	if o.remote == nil {
		return
	}
	if got := o.answers(o.remote); got != want {
		o.Errorf("another node answers\n%s\nand not\n%s", got, want)
	}
}

// answers says what a Verifier answers to each token in several uses.
func (o *organization) answers(v *verify.Verifier) string {
	var b strings.Builder
	for _, name := range kinds {
		for _, narrower := range []func(*counterfoil.Attempt){
			func(*counterfoil.Attempt) {},
			func(a *counterfoil.Attempt) { a.IP = outside },
			func(a *counterfoil.Attempt) { a.Permissions = []string{"devices:write"} },
			func(a *counterfoil.Attempt) { a.Method, a.Path = "PUT", "/api/devices/7" },
			func(a *counterfoil.Attempt) { a.Audience, a.Permissions = counterfoil.AudienceSelf, nil },
		} {
			a := o.use(name)
			narrower(&a)
			b.WriteString(name + " " + string(check(o, v, o.tokens[name].Secret, a)) + "; ")
		}
	}
	return b.String()
}

func (o *organization) warm(v *verify.Verifier) { o.answers(v) }

// compare asks every question of the warm Verifier and of one that has nothing in memory.
func (o *organization) compare(when string) string {
	o.Helper()
	warm, cold := o.answers(o.Verifier), o.answers(o.another())
	if warm != cold {
		o.Errorf("%s the warm caches answer\n%s\nthe database\n%s", when, warm, cold)
	}
	return warm
}
