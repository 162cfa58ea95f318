// Package identity is who somebody is: how people prove it, and the sessions that remember the proof. It refuses to say
// what they may do, which is the registry's to judge afresh each time, and it never changes a member but through the
// functions that it is given.
//
// What a person signs in with is theirs, in every organization. So a session that one organization vouched for (its
// product, its identity provider) is good for that organization alone, and changes nothing of how the person signs in.
package identity

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Config is what an Identity needs. Store and Keys are required.
type Config struct {
	Store *store.Store
	Keys  *secret.Keyring

	// URL is where browsers reach the console, without a slash at its end.
	URL     string
	Product string       // its name, as people know it; default Counterfoil
	Mail    *mail.Sender // nil: no mail is sent, and an admin makes the links

	// What changes members is not done here but through these. Each runs within in its own transaction before it writes,
	// and does nothing when that fails.
	SetUp     func(ctx context.Context, at Place, f Founding, within func(tx *store.Tx, owner counterfoil.Member) error) error
	Join      func(ctx context.Context, at Place, org, member string, within func(tx *store.Tx) error) error
	Decline   func(ctx context.Context, at Place, org, member string, within func(tx *store.Tx) error) error
	Provision func(ctx context.Context, at Place, org string, p Provision, within func(tx *store.Tx, m counterfoil.Member) error) error

	OIDC []Provider // each is good by its Check, and its name is there once

	SessionIdle     time.Duration // a session that is not used for so long ends; default 12 h
	SessionLifetime time.Duration // every session ends so long after the sign-in; default 7 days
	Logger          *slog.Logger
}

// Identity is safe for concurrent use.
type Identity struct {
	Config
	passwords *hasher
	throttle  *throttle
	party     *webauthn.WebAuthn // nil: no passkeys
	clients   map[string]*client // by the provider's name

	sending chan struct{} // a place for each mail that is being sent
	sent    sync.WaitGroup
}

// mailsAtOnce bounds how many mails are being sent.
const mailsAtOnce = 16

// New makes an Identity.
func New(c Config) *Identity {
	c.SessionIdle = cmp.Or(c.SessionIdle, 12*time.Hour)
	c.SessionLifetime = cmp.Or(c.SessionLifetime, 7*24*time.Hour)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Product = cmp.Or(c.Product, "Counterfoil")
	i := &Identity{Config: c, passwords: newHasher(), sending: make(chan struct{}, mailsAtOnce)}
	i.throttle = newThrottle(i.now)
	i.clients = make(map[string]*client, len(c.OIDC))
	for _, p := range c.OIDC {
		i.clients[p.Name] = newClient(p)
	}
	i.party = relyingParty(c.URL, c.Product)
	return i
}

// Close waits for the mails that are being sent.
func (i *Identity) Close() { i.sent.Wait() }

// Place is where a request comes from. IP may be invalid: not known.
type Place struct {
	IP        netip.Addr
	UserAgent string
}

func (p Place) address() string {
	if !p.IP.IsValid() {
		return ""
	}
	return p.IP.String()
}

// Outcome is how a sign-in goes on: with a session, or with a further proof.
type Outcome struct {
	Value string // of the session, for the cookie: only its digest is kept; empty: not signed in yet
	// Ticket names the sign-in that is half done, and Factors what would finish it: totp, passkey, recovery.
	Ticket  string
	Factors []string
	// ReturnURL is where the product wants the person to go when they are done; empty: nowhere.
	ReturnURL string
}

// Membership is a signed-in person's place in an organization.
type Membership struct {
	MemberID, Name string
	Roles          []string
	Status         counterfoil.MemberStatus
	Organization   counterfoil.Organization
}

// Memberships lists where the person of a session is an active member; for a session that is good for one organization,
// that one at most.
func (i *Identity) Memberships(ctx context.Context, s Session) (list []Membership, err error) {
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		all, err := tx.Memberships(s.UserID)
		for _, m := range all {
			if m.Member.Status == counterfoil.MemberActive && (s.Organization == "" || s.Organization == m.Organization.ID) {
				list = append(list, Membership{m.Member.ID, m.Member.Name, m.Member.Roles, m.Member.Status, m.Organization.Organization})
			}
		}
		return err
	})
	return list, err
}

// now is the store's time, by which everything here is judged.
func (i *Identity) now() time.Time { return i.Store.Now().Time() }
