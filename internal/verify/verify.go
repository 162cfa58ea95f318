// Package verify is the hot path: a presented string in, a verdict out. It caches records, never verdicts; every call
// judges address, expiry, policy, owner and permission afresh. It knows no operation of the service, and it refuses to
// write anything while a caller waits: uses and refusals are noted and written later.
package verify

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/tracing"
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
	Tracer      *tracing.Tracer // nil: nothing is traced
}

// Verifier answers checks. It is safe for concurrent use. Close stops its writers.
type Verifier struct {
	Config
	cache cache
	slots slots
	touch touch
	noted refusals

	epoch    atomic.Uint64 // of what is in memory; see standing
	renewing sync.Mutex    // held while memory is brought into another epoch
	detach   func()        // from the log

	told   atomic.Pointer[toldCatalogue]
	misses atomic.Int64
	closed sync.Once
	onRead atomic.Pointer[func(what string)] // for tests; see reached
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
	v.detach = c.Store.Attach(v.follow)
	v.touch.start(v)
	v.noted.start(v)
	return v
}

// Close writes what was noted and stops. What is checked afterwards leaves no note.
func (v *Verifier) Close() {
	v.closed.Do(func() {
		v.touch.stop()
		v.noted.stop()
		v.detach()
	})
}

// Request is one check.
type Request struct {
	Token string
	counterfoil.Attempt
	// Within narrows the answer to the tokens of one organization; any other token is unknown. Empty: no narrowing.
	Within string
	// About names the organization that the use is about, by id or slug; empty or "current": the token's own. What a
	// provider's personal token may do in another is not for this judgement: Permissions are not asked for then.
	About string
	// Strict has everything read from the database, as it is at one moment after the call, and nothing from memory.
	Strict bool
	// Again: one long use goes on, which was noted when it began. It is judged as any other, and neither noted nor traced.
	Again bool

	traced bool // its span has begun
}

// Verify judges one use of a presented token. An error means that the system failed and nobody is let in; whatever
// string is presented is a question with an answer. With a warm cache it allocates nothing.
func (v *Verifier) Verify(ctx context.Context, q *Request) (Result, error) {
	if v.Tracer != nil && !q.traced && !q.Again {
		return v.traced(ctx, *q)
	}
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
	r := Result{Code: counterfoil.CodeInvalidToken}
	if err := v.gather(ctx, &parsed, q, &r); err != nil {
		return Result{}, err
	}
	if r.entry == nil {
		return r, nil
	}
	attempt := q.Attempt
	attempt.Value = r.Match
	if r.abroad(q.About) {
		attempt.Permissions = nil
	}
	record, holder := r.judged()
	now := v.Now()
	r.now = now
	r.Code = judge.Use(&record, holder, &r.rules.Rules, &attempt, now, nil)
	if r.Code == counterfoil.CodeOK {
		if !q.Again {
			v.touch.note(useKey{r.id, attempt.IP, r.grace()}, now)
		}
		return r, nil
	}
	if r.Code == counterfoil.CodeMissingPermission {
		told := attempt
		told.Permissions = make([]string, len(attempt.Permissions))
		for i, name := range attempt.Permissions {
			told.Permissions[i] = v.Masked(name)
		}
		r.lacks = judge.Missing(&record, holder, &r.rules.Rules, &told)
	}
	if !q.Again {
		r.Reference = v.noted.note(&r, q, now)
	}
	return r, nil
}

// traced is Verify below a span.
func (v *Verifier) traced(ctx context.Context, q Request) (Result, error) {
	ctx, span := v.Tracer.Child(ctx, "check")
	defer span.End()
	q.traced = true
	r, err := v.Verify(ctx, &q)
	code := r.Code
	if err != nil {
		code = counterfoil.CodeUnavailable
		span.Failed()
	}
	span.Checked(string(q.Audience), string(code), q.Strict)
	return r, err
}

// CacheStats tells how many tokens are remembered, and how often a check found its token there or had to ask.
func (v *Verifier) CacheStats() (tokens int, hits, misses int64) {
	tokens, hits = v.cache.stats()
	return tokens, hits, v.misses.Load()
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
	r := Result{Code: counterfoil.CodeInvalidToken}
	parsed, ok := secret.Parse(presented)
	if !ok || parsed.Prefix != v.Prefix {
		return r, nil
	}
	if err := v.gather(ctx, &parsed, &Request{Token: presented}, &r); err != nil {
		return Result{}, err
	}
	return r, nil
}
