// Package verify is the hot path: a presented string in, a verdict out. It caches records, never verdicts; every call
// judges address, expiry, policy, owner and permission afresh. It knows no operation of the service, and it refuses to
// write anything while a caller waits: uses and refusals are noted and written later.
package verify

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// Config is what a Verifier needs. Store, Keys, Prefix and Rules are required.
type Config struct {
	Store  *store.Store
	Keys   *secret.Keyring
	Prefix string // of this instance's tokens
	Rules  *rules.Cache
	// DataCenters maps the prefixes of the other data centres to their URLs (N8).
	DataCenters map[string]string
	CacheTokens int // how many tokens are remembered; 0: two million
	Now         func() counterfoil.Instant
	Logger      *slog.Logger
}

// Verifier answers checks. It is safe for concurrent use. Close stops its writers.
type Verifier struct {
	Config
	cache cache
	slots slots
	epoch atomic.Uint64
	touch touch
	noted refusals

	hits, misses atomic.Int64
}

// New starts a Verifier.
func New(c Config) *Verifier {
	if c.Now == nil {
		c.Now = c.Store.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.CacheTokens <= 0 {
		c.CacheTokens = 2_000_000
	}
	v := &Verifier{Config: c}
	v.cache.init(c.CacheTokens)
	v.slots.init()
	v.touch.start(v)
	v.noted.start(v)
	return v
}

// Close writes what was noted and stops.
func (v *Verifier) Close() {
	v.touch.stop()
	v.noted.stop()
}

// Request is one check.
type Request struct {
	Token string
	counterfoil.Attempt
	// Within narrows the answer to the tokens of one organization; any other token is unknown. Empty: no narrowing.
	Within string
}

// Verify judges one use of a presented token. An error means that the system failed and nobody is let in; whatever
// string is presented is a question with an answer. With a warm cache it allocates nothing.
func (v *Verifier) Verify(ctx context.Context, q *Request) (Result, error) {
	parsed, ok := secret.Parse(q.Token)
	if !ok {
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	if parsed.Prefix != v.Prefix {
		if url, known := v.DataCenters[parsed.Prefix]; known {
			return Result{Code: counterfoil.CodeWrongDataCenter, url: url}, nil
		}
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	fresh := !v.trusted()
	e, err := v.token(ctx, parsed.ID, fresh)
	if err != nil {
		return Result{}, err
	}
	if e == nil {
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	attempt := q.Attempt
	attempt.Value = v.match(e, q.Token)
	if attempt.Value == counterfoil.NoMatch || (q.Within != "" && e.org.id != q.Within) || parsed.Kind != ShortKind(e.class.kind) {
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	compiled, err := v.rules(ctx, e.org, fresh)
	if err != nil {
		return Result{}, err
	}
	if compiled == nil {
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	var own *owner
	var holder *judge.Holder
	if e.owner != nil {
		if own, err = v.owner(ctx, e.owner, compiled, fresh); err != nil {
			return Result{}, err
		}
		holder = &own.holder
	}
	record := e.record()
	record.Revoked = record.Revoked || compiled.Org.Deleted
	now := v.Now()
	r := Result{entry: e, rules: compiled, owner: own, Match: attempt.Value}
	r.Code = judge.Use(&record, holder, &compiled.Rules, &attempt, now, nil)
	if r.Code == counterfoil.CodeOK {
		v.touch.note(e.id, attempt.IP, now)
	} else {
		r.Reference = v.noted.note(e, compiled, holder, attempt, r.Code, now)
	}
	return r, nil
}

// trusted reports whether cached records may be used. When another server may have written since they were read, they
// are forgotten first.
func (v *Verifier) trusted() bool {
	epoch, alive := v.Store.Alive()
	if known := v.epoch.Load(); known != epoch && v.epoch.CompareAndSwap(known, epoch) && known != 0 {
		v.Purge()
	}
	return alive
}

// match compares the presented string with the stored digests, in constant time each.
func (v *Verifier) match(e *entry, presented string) counterfoil.Match {
	if d, ok := v.Keys.Digest(e.keyID, presented); ok && d.Equal(e.digest) {
		return counterfoil.MatchCurrent
	}
	if m := e.more; m != nil && m.previousKeyID != 0 {
		if d, ok := v.Keys.Digest(m.previousKeyID, presented); ok && d.Equal(m.previous) {
			return counterfoil.MatchPrevious
		}
	}
	return counterfoil.NoMatch
}

// CacheStats tells how many tokens are remembered, and how often a check found its token there or had to ask.
func (v *Verifier) CacheStats() (tokens int, hits, misses int64) {
	return v.cache.len(), v.hits.Load(), v.misses.Load()
}

// ShortKind is a kind's part of the token string: pat, org, int or sys.
func ShortKind(k counterfoil.Kind) string {
	switch k {
	case counterfoil.KindPersonal:
		return "pat"
	case counterfoil.KindOrganization:
		return "org"
	case counterfoil.KindIntegration:
		return "int"
	case counterfoil.KindSystem:
		return "sys"
	}
	return ""
}

// Find tells which token a presented string is, without judging or noting a use: for whoever acts on the token itself.
// A result that is not Proven means that the string is no token of this instance.
func (v *Verifier) Find(ctx context.Context, presented string) (Result, error) {
	parsed, ok := secret.Parse(presented)
	if !ok || parsed.Prefix != v.Prefix {
		return Result{Code: counterfoil.CodeInvalidToken}, nil
	}
	fresh := !v.trusted()
	e, err := v.token(ctx, parsed.ID, fresh)
	if err != nil || e == nil || v.match(e, presented) == counterfoil.NoMatch {
		return Result{Code: counterfoil.CodeInvalidToken}, err
	}
	compiled, err := v.rules(ctx, e.org, fresh)
	if err != nil || compiled == nil {
		return Result{Code: counterfoil.CodeInvalidToken}, err
	}
	return Result{Code: counterfoil.CodeInvalidToken, entry: e, rules: compiled, Match: v.match(e, presented)}, nil
}
