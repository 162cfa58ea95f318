package identity

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	// MethodPasskey is a sign-in by a passkey alone, which has verified the person itself.
	MethodPasskey = "passkey"

	ticketPasskey = "passkey"
	ceremonyLife  = 5 * time.Minute
)

// What a ceremony is for.
const (
	forSignIn       = "sign-in"
	forSecond       = "second factor"
	forConfirmation = "confirmation"
	forRegistration = "registration"
)

// Ceremony is what a browser is asked for a passkey with.
type Ceremony struct {
	Options json.RawMessage // for navigator.credentials, as PublicKeyCredential.parse…OptionsFromJSON takes them
	Ticket  string          // what finishing wants
}

// ceremony is what its ticket remembers.
type ceremony struct {
	Purpose string               `json:"purpose"`
	Session webauthn.SessionData `json:"session"`
}

var (
	errNoPasskeys = counterfoil.Refuse(counterfoil.CodeInvalidRequest, "Passkeys work where the console has a name: set public_url to it, or open it at localhost.")
	errPasskey    = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This passkey did not prove that it is you. Try again, or sign in another way.")
	errCeremony   = counterfoil.Refuse(counterfoil.CodeMissingCredentials, "This took too long. Try again.")
)

// relyingParty is how authenticators know this instance; nil where it has no name: an address is none (WebAuthn level 3,
// section 5.1.2).
func relyingParty(base, product string) *webauthn.WebAuthn {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	w, err := webauthn.New(&webauthn.Config{RPID: u.Hostname(), RPDisplayName: product, RPOrigins: []string{u.Scheme + "://" + u.Host}})
	if err != nil {
		return nil
	}
	return w
}

// PasskeysWork reports whether this instance can have passkeys.
func (i *Identity) PasskeysWork() bool { return i.party != nil }

// holder is a person as the protocol knows them.
type holder struct {
	user store.User
	keys []store.Passkey
	list []webauthn.Credential
}

func (h *holder) WebAuthnID() []byte                         { return []byte(h.user.ID) }
func (h *holder) WebAuthnName() string                       { return h.user.Email }
func (h *holder) WebAuthnDisplayName() string                { return h.user.Email }
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.list }

func holderOf(tx *store.Tx, user store.User) (*holder, error) {
	h := &holder{user: user}
	var err error
	if h.keys, err = tx.Passkeys(user.ID); err != nil {
		return nil, err
	}
	for _, k := range h.keys {
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(k.Credential), &c); err != nil {
			return nil, err
		}
		h.list = append(h.list, c)
	}
	return h, nil
}

// open stores a ceremony.
func (i *Identity) open(tx *store.Tx, purpose string, user string, options any, data *webauthn.SessionData) (c Ceremony, err error) {
	if c.Options, err = json.Marshal(options); err != nil {
		return c, err
	}
	c.Ticket, err = i.ticket(tx, store.Ticket{Kind: ticketPasskey, User: user}, ceremony{purpose, *data}, ceremonyLife)
	return c, err
}

// close takes a ceremony of a purpose; whatever comes of it, its challenge is used up.
func (i *Identity) close(tx *store.Tx, purpose, ticket string) (t store.Ticket, data webauthn.SessionData, err error) {
	digest, ok := secret.PassDigest(ticket)
	if !ok {
		return t, data, errCeremony
	}
	t, found, err := tx.TakeTicket(ticketPasskey, digest)
	if err != nil {
		return t, data, err
	}
	var c ceremony
	if !found {
		return t, data, errCeremony
	}
	if err := json.Unmarshal([]byte(t.Data), &c); err != nil {
		return t, data, err
	}
	if c.Purpose != purpose {
		return t, data, errCeremony
	}
	return t, c.Session, nil
}
