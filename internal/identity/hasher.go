package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/argon2"

	"github.com/counterfoil/counterfoil"
)

// cost is what a guess at a password costs. Hashes of another cost are made anew at the next sign-in.
type cost struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

var currentCost = cost{memory: 19 * 1024, time: 2, threads: 1}

const (
	hashLen = 32
	saltLen = 16
	// hashesAtOnce bounds the memory and the processors that guesses can take; hashesWaiting how many wait for them.
	hashesAtOnce  = 2
	hashesWaiting = 32
)

var errBusy = counterfoil.Refuse(counterfoil.CodeUnavailable, "Too many people are signing in at this moment. Try again in a few seconds.")

// hasher makes and checks hashes of passwords by argon2id, few at once.
type hasher struct {
	slots   chan struct{}
	waiting atomic.Int32
	dummy   func() string // a hash of no password, so that who has none takes as long
}

func newHasher() *hasher {
	return &hasher{slots: make(chan struct{}, hashesAtOnce), dummy: sync.OnceValue(func() string { return hash(rand.Text(), currentCost) })}
}

// run waits for its turn and runs fn.
func (h *hasher) run(ctx context.Context, fn func()) error {
	if h.waiting.Add(1) > hashesWaiting+hashesAtOnce {
		h.waiting.Add(-1)
		return errBusy
	}
	defer h.waiting.Add(-1)
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	fn()
	return nil
}

// hash makes the PHC string of a password.
func (h *hasher) hash(ctx context.Context, password string) (phc string, err error) {
	err = h.run(ctx, func() { phc = hash(password, currentCost) })
	return phc, err
}

// check reports whether a password is the one of a hash; stale: it wants a new hash. An empty hash belongs to no password
// and takes as long.
func (h *hasher) check(ctx context.Context, phc, password string) (ok, stale bool, err error) {
	err = h.run(ctx, func() {
		if phc == "" {
			_, _ = matches(h.dummy(), password)
			return
		}
		ok, stale = matches(phc, password)
	})
	return ok, stale, err
}

func hash(password string, c cost) string {
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // never fails: it crashes the program instead
	key := argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, hashLen)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads, b64(salt), b64(key))
}

// matches compares in constant time. A damaged hash matches nothing.
func matches(phc, password string) (ok, stale bool) {
	c, salt, key, err := parseHash(phc)
	if err != nil {
		return false, false
	}
	got := argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1, c != currentCost
}

func parseHash(phc string) (c cost, salt, key []byte, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return c, nil, nil, fmt.Errorf("not an argon2id hash")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil {
		return c, nil, nil, fmt.Errorf("the cost of a hash: %w", err)
	}
	if c.memory > 1<<20 || c.time == 0 || c.time > 64 || c.threads == 0 {
		return c, nil, nil, fmt.Errorf("the cost of a hash is out of bounds")
	}
	if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return c, nil, nil, fmt.Errorf("the salt of a hash: %w", err)
	}
	if key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return c, nil, nil, fmt.Errorf("the hash is damaged")
	}
	return c, salt, key, nil
}
