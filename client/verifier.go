package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
)

// OnLimit says what a Verifier does with a check while it may not trust what it remembers.
type OnLimit int

const (
	Ask  OnLimit = iota // the server, as if nothing was remembered
	Deny                // with ErrStale
)

// ErrStale means that a Verifier with OnLimit Deny has not heard from the server within MaxStaleness. Nobody is let in.
var ErrStale = errors.New("what is remembered of tokens may be out of date, and is not gone by")

// VerifierConfig is how a Verifier works. The zero value is a good one.
type VerifierConfig struct {
	// MaxStaleness is how long after it last heard that it is up to date the Verifier goes on by what it remembers: 0.5 to 10
	// seconds, 2 by default. The server's lease is the most that it gets. A revocation that is answered is known here, or this
	// time is over.
	MaxStaleness time.Duration
	OnLimit      OnLimit
	// Tokens is how many values are remembered; 0: 100,000.
	Tokens int
	// Logger is told when the server cannot be followed; nil: slog.Default().
	Logger *slog.Logger
}

// Verifier judges tokens by itself: a token is asked about once, and then judged here with the rules that the server judges by,
// until a change that concerns it is told over a stream. It may go by what it remembers only for MaxStaleness after the server has
// said that it has missed nothing; changes that narrow what is accepted wait for it on the server, as they do for a node. Its
// clock is the process's monotonic one; only expiry goes by the wall clock. It is safe for concurrent use. Close it.
//
// The client's token is a system token that holds counterfoil.tokens:verify.
type Verifier struct {
	client *Client
	config VerifierConfig
	id     string
	memory *memory
	uses   uses
	start  time.Time

	until   atomic.Int64 // nanoseconds since start: what is remembered counts before then
	since   atomic.Int64 // nanoseconds since start: the report that said so was begun
	foreign atomic.Int64 // nanoseconds since start: the server told facts of another format, and is asked for verdicts until then
	applied atomic.Int64 // the log's entry up to which changes were applied; -1: none yet
	hash    []byte       // of that entry; the following goroutine's own, which holds standing to change it
	follows atomic.Bool  // the stream of changes stands

	standing sync.Mutex // held to change until, so that nothing is trusted again that was forgotten meanwhile, and applied with hash
	begun    int        // how often everything was forgotten; guarded by standing
	telling  telling    // these are the reporting goroutine's own, and Close's after it
	alone    bool       // the next report tells no uses: the one before failed, and they shall not keep this from its lease
	told     string     // the fault of reports that was last logged; "": they are taken
	quit     context.CancelFunc
	done     sync.WaitGroup
	reported chan struct{} // asks for a report
	caught   chan struct{} // has an item after entries were applied
}

const (
	leastStaleness, mostStaleness = 500 * time.Millisecond, 10 * time.Second
	// forgetAfter is how long a stream may have been away before everything is forgotten rather than caught up with.
	forgetAfter = time.Minute
	// quietStream is how long the stream may be silent: the server says something every 2 seconds.
	quietStream = 10 * time.Second
)

// NewVerifier starts a Verifier. It does not wait for the server: until the stream stands, every check is asked for, or denied.
func NewVerifier(c *Client, config VerifierConfig) (*Verifier, error) {
	config.MaxStaleness = cmp.Or(config.MaxStaleness, 2*time.Second)
	if config.MaxStaleness < leastStaleness || config.MaxStaleness > mostStaleness {
		return nil, fmt.Errorf("MaxStaleness is from %v to %v, not %v", leastStaleness, mostStaleness, config.MaxStaleness)
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	ctx, quit := context.WithCancel(context.Background())
	v := &Verifier{client: c, config: config, id: "ver_" + rand.Text(), memory: newMemory(cmp.Or(config.Tokens, 100_000)), start: time.Now(), quit: quit,
		reported: make(chan struct{}, 1), caught: make(chan struct{}, 1)}
	v.applied.Store(-1)
	v.done.Go(func() { v.follow(ctx) })
	v.done.Go(func() { v.report(ctx) })
	return v, nil
}

// Close ends it: what it accepted is told, and nobody waits for it any more. What is checked afterwards is asked for, or denied.
func (v *Verifier) Close() {
	v.quit()
	v.done.Wait()
	v.until.Store(0)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for more := v.applied.Load() >= 0; more; {
		v.nextUses()
		if more = len(v.telling.uses) == mostUses; len(v.telling.uses) == 0 {
			break
		}
		_, err := v.tell(ctx, v.telling, counterfoil.VerifierReport{Applied: v.applied.Load(), Hash: v.hash, LeaseMS: leastStaleness.Milliseconds()})
		if err != nil {
			break // a few uses are not counted
		}
		v.telling = telling{}
	}
	_ = v.client.LeaveVerifier(ctx, v.id) // else it is waited for until its lease is over
}

// Verify judges one use of a token. A token that may not be used is a Verdict; an error means that nobody knows, and then nobody is
// let in. Of the attempt Permissions, Method, Path and IP count. A token that is known and may be used costs no call and no
// allocation; any other is asked about, so that a refusal has the server's reference.
func (v *Verifier) Verify(ctx context.Context, token string, a counterfoil.Attempt) (counterfoil.Verdict, error) {
	now := time.Now()
	if !v.trusts(now) {
		if v.config.OnLimit == Deny {
			return counterfoil.Verdict{}, ErrStale
		}
		return v.ask(ctx, token, a)
	}
	k := v.memory.find(token)
	if k == nil {
		if int64(now.Sub(v.start)) < v.foreign.Load() {
			return v.ask(ctx, token, a)
		}
		var refused counterfoil.Verdict
		var err error
		k, refused, err = v.learn(ctx, token)
		switch {
		case errors.Is(err, errForeign), errors.Is(err, errStale): // it cannot be learnt, or changes too fast
			return v.ask(ctx, token, a)
		case k == nil:
			return refused, err
		}
		if now = time.Now(); !v.trusts(now) { // the question took long
			if v.config.OnLimit == Deny {
				return counterfoil.Verdict{}, ErrStale
			}
			return v.ask(ctx, token, a)
		}
	}
	verdict := k.judge(&a, counterfoil.At(now))
	if verdict.Active {
		v.uses.note(&k.uses, a.IP, now)
		return verdict, nil
	}
	if asked, err := v.ask(ctx, token, a); err == nil {
		return asked, nil
	}
	return verdict, nil
}

// Staleness is how long ago what is remembered was last known to be up to date; ok: it is gone by.
func (v *Verifier) Staleness() (age time.Duration, ok bool) {
	return time.Since(v.start) - time.Duration(v.since.Load()), v.trusts(time.Now())
}

// Tokens is how many values are remembered.
func (v *Verifier) Tokens() int { return v.memory.size() }

func (v *Verifier) trusts(now time.Time) bool {
	until := v.until.Load()
	return int64(now.Sub(v.start)) < until || defectLease && until > 0
}

// ask has the server judge.
func (v *Verifier) ask(ctx context.Context, token string, a counterfoil.Attempt) (counterfoil.Verdict, error) {
	q := counterfoil.Question{Token: token, Permissions: a.Permissions}
	if a.Path != "" || a.Method != "" {
		q.Endpoint = a.Method + " " + a.Path
	}
	if a.IP.IsValid() {
		q.IP = a.IP.String()
	}
	return v.client.Verify(ctx, q)
}

// errForeign means that facts are of a format that this version does not know: to judge by them could say yes wrongly.
var errForeign = errors.New("what the server tells of tokens is of another version")

// learn asks what a token is judged by. Without it, there is a verdict or an error.
func (v *Verifier) learn(ctx context.Context, token string) (*known, counterfoil.Verdict, error) {
	for try := 0; ; try++ {
		stamp, version := v.memory.stamp()
		answer, err := v.client.Facts(ctx, v.id, counterfoil.FactsQuestion{Token: token, Catalogue: version})
		switch {
		case err != nil:
			return nil, counterfoil.Verdict{}, err
		case answer.Facts == nil:
			return nil, counterfoil.Verdict{Code: answer.Code, Message: answer.Message}, nil
		}
		if answer.Facts.Format != counterfoil.FactsFormat {
			v.foreign.Store(int64(time.Since(v.start) + forgetAfter))
			v.config.Logger.Warn("the server's version tells of tokens what this client's does not understand: it is asked about each check", "format", answer.Facts.Format)
			return nil, counterfoil.Verdict{}, errForeign
		}
		k, err := v.memory.fill(token, answer.Facts, stamp)
		if err == nil || !errors.Is(err, errStale) || try == 2 {
			return k, counterfoil.Verdict{}, err
		}
	}
}
