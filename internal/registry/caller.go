package registry

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Caller is whoever asks: a checked credential, or a person who is signed in. The zero Caller may do nothing. What it may
// do is judged again inside each transaction.
type Caller struct {
	// Session and Member are a signed-in person's: the session's id (ses_…) and who they are in Organization. Kind is
	// personal then, and nothing of a token is set.
	Session, Member string

	// Provider is the organization that the caller acts from when it acts in one that it manages: ProviderKey is what its
	// JWT was signed with (key_…), and Kind is provider then; for a person, Member or the token's owner is who they are in
	// Provider. See In.
	Provider, ProviderKey string

	TokenID      string
	Kind         counterfoil.Kind
	Organization string        // that it acts in; empty for a system credential
	KeyID        uint8         // of the key that Digest was made with
	Digest       secret.Digest // of the presented value: it must still be the token's inside the transaction
	Attempt      counterfoil.Attempt
	UserAgent    string
	Once         *Once // for operations that create: the Idempotency-Key
	// Faults is what is wrong with the form of the request. The operation adds what it finds wrong with the rest, so
	// that one answer names them all, and does nothing.
	Faults []counterfoil.Problem

	operator bool
	itself   bool // the operation changes the caller's own token
}

// In is the caller as it acts in an organization: a provider's key, or a person, acts from their own there. Whether they
// may is judged in each transaction.
func (c Caller) In(org string) Caller {
	switch {
	case c.Kind == counterfoil.KindPersonal && c.Provider == "" && org != c.Organization:
		c.Provider, c.Organization = c.Organization, org
	case c.Provider != "":
		c.Organization = org
	}
	return c
}

// match compares the presented value with the token as it is now: it may have been rotated since it was checked.
func (c *Caller) match(t *store.Token) counterfoil.Match {
	switch {
	case t.KeyID == c.KeyID && t.Digest.Equal(c.Digest):
		return counterfoil.MatchCurrent
	case t.PreviousKeyID != 0 && t.PreviousKeyID == c.KeyID && t.Previous.Equal(c.Digest):
		return counterfoil.MatchPrevious
	}
	return counterfoil.NoMatch
}

// Once names a request so that its repetition creates nothing more.
type Once struct {
	Key    string
	Digest string // of the request: the same key with another one is refused
}

// Operator is the caller that runs the process itself: setup, and the catalogue file.
func Operator() Caller { return Caller{operator: true, Kind: counterfoil.KindSystem} }
