package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
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

// BeginPasskeySignIn asks for any passkey of this instance, with the person verified: it is the only factor.
func (i *Identity) BeginPasskeySignIn(ctx context.Context, at Place) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	if err := i.throttle.take(addressLimit("passkey", at.IP, 60, time.Second)); err != nil {
		return c, err
	}
	options, data, err := i.party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return c, err
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) (err error) {
		c, err = i.open(tx, forSignIn, "", options.Response, data)
		return err
	})
	return c, err
}

// FinishPasskeySignIn signs in whoever's passkey answered.
func (i *Identity) FinishPasskeySignIn(ctx context.Context, ticket string, response []byte, at Place) (out Outcome, err error) {
	err = i.withPasskey(ctx, response, func(tx *store.Tx, answer *protocol.ParsedCredentialAssertionData) error {
		out = Outcome{}
		_, data, err := i.close(tx, forSignIn, ticket)
		if err != nil {
			return err
		}
		var h *holder
		var broken error
		found := func(_, handle []byte) (webauthn.User, error) {
			user, known, err := tx.User(string(handle))
			if err == nil && known {
				h, err = holderOf(tx, user)
			}
			if broken = err; err != nil || !known {
				return nil, errPasskey
			}
			return h, nil
		}
		credential, err := i.party.ValidateDiscoverableLogin(found, data, answer)
		if broken != nil {
			return broken
		}
		var user store.User
		if h != nil {
			user = h.user
		}
		if err != nil {
			return i.noPasskey(tx, user, "", MethodPasskey, at)
		}
		if err := i.usePasskey(tx, h, credential, "", MethodPasskey, at); err != nil {
			return err
		}
		out.Value, err = i.begin(tx, user, MethodPasskey, "", "", at)
		return err
	})
	return out, err
}

// BeginPasskeySecond asks for a passkey of the person whose sign-in is half done.
func (i *Identity) BeginPasskeySecond(ctx context.Context, signIn string) (c Ceremony, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		t, err := i.halfDone(tx, signIn)
		if err != nil {
			return err
		}
		c, err = i.askFor(tx, t.User, forSecond)
		return err
	})
	return c, err
}

// halfDone finds a sign-in that is half done.
func (i *Identity) halfDone(tx *store.Tx, value string) (store.Ticket, error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return store.Ticket{}, errHalfDone
	}
	t, found, err := tx.Ticket(ticketSignIn, digest)
	if err == nil && !found {
		err = errHalfDone
	}
	return t, err
}

// askFor asks for a passkey of one person.
func (i *Identity) askFor(tx *store.Tx, id, purpose string) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	user, _, err := tx.User(id)
	if err != nil {
		return c, err
	}
	h, err := holderOf(tx, user)
	if err != nil {
		return c, err
	}
	if len(h.list) == 0 {
		return c, errNotFound
	}
	options, data, err := i.party.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return c, err
	}
	return i.open(tx, purpose, id, options.Response, data)
}

// FinishPasskeySecond finishes a sign-in with a passkey.
func (i *Identity) FinishPasskeySecond(ctx context.Context, signIn, ticket string, response []byte, at Place) (Outcome, error) {
	answer, err := i.parse(response)
	if err != nil {
		return Outcome{}, err
	}
	return i.second(ctx, signIn, FactorPasskey, at, func(tx *store.Tx, user store.User) (bool, error) {
		return i.provePasskey(tx, user, forSecond, ticket, answer)
	})
}

// BeginPasskeyConfirmation asks the person of a session for a passkey, to confirm that it is still them.
func (i *Identity) BeginPasskeyConfirmation(ctx context.Context, s Session) (c Ceremony, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		if _, err := i.own(tx, s, false); err != nil {
			return err
		}
		c, err = i.askFor(tx, s.UserID, forConfirmation)
		return err
	})
	return c, err
}

// FinishPasskeyConfirmation notes that the person of a session has just proved who they are.
func (i *Identity) FinishPasskeyConfirmation(ctx context.Context, s Session, ticket string, response []byte, at Place) error {
	answer, err := i.parse(response)
	if err != nil {
		return err
	}
	if err := i.throttle.take(codeGuesses(s.UserID)); err != nil {
		return err
	}
	err = i.confirm(ctx, s, FactorPasskey, at, func(tx *store.Tx, user store.User) (bool, error) {
		return i.provePasskey(tx, user, forConfirmation, ticket, answer)
	})
	if err == nil {
		i.throttle.giveBack(codeGuesses(s.UserID))
	}
	return err
}

// provePasskey checks the answer of one person's passkey, in a transaction that goes on when it is none.
func (i *Identity) provePasskey(tx *store.Tx, user store.User, purpose, ticket string, answer *protocol.ParsedCredentialAssertionData) (bool, error) {
	t, data, err := i.close(tx, purpose, ticket)
	if err != nil || t.User != user.ID {
		if err == nil {
			err = errCeremony
		}
		return false, err
	}
	h, err := holderOf(tx, user)
	if err != nil {
		return false, err
	}
	credential, err := i.party.ValidateLogin(h, data, answer)
	if err != nil || i.cloned(h, credential) {
		return false, nil //nolint:nilerr // it proves nothing, whatever is wrong with it
	}
	return true, keepUse(tx, h, credential)
}

// cloned reports whether a passkey counts less than it did: there are two of it.
func (i *Identity) cloned(h *holder, c *webauthn.Credential) bool {
	if c.Authenticator.CloneWarning {
		i.Logger.Warn("a passkey was refused: its counter went back, so there may be a copy of it", "user", h.user.ID)
	}
	return c.Authenticator.CloneWarning
}

// usePasskey notes the use of a passkey, or refuses one that was copied.
func (i *Identity) usePasskey(tx *store.Tx, h *holder, c *webauthn.Credential, organization, method string, at Place) error {
	if i.cloned(h, c) {
		return i.noPasskey(tx, h.user, organization, method, at)
	}
	return keepUse(tx, h, c)
}

func keepUse(tx *store.Tx, h *holder, c *webauthn.Credential) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	for n, k := range h.list {
		if string(k.ID) == string(c.ID) {
			return tx.UsePasskey(h.keys[n].ID, string(raw))
		}
	}
	return errPasskey
}

// noPasskey records the failure, if it is somebody's, and is a refusal that lets the transaction stand.
func (i *Identity) noPasskey(tx *store.Tx, user store.User, organization, method string, at Place) error {
	if user.ID != "" {
		err := i.record(tx, at, user, organization, happening{typ: "login", action: "user_login_failed", metadata: map[string]any{"method": method, "reason": "wrong_passkey"}})
		if err != nil {
			return err
		}
	}
	return standing{errPasskey}
}

// standing is a refusal whose transaction is committed.
type standing struct{ error }

func (s standing) Unwrap() error { return s.error }

func (i *Identity) parse(response []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if i.party == nil {
		return nil, errNoPasskeys
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return nil, errPasskey
	}
	return answer, nil
}

// withPasskey runs fn with a browser's answer. A standing refusal commits.
func (i *Identity) withPasskey(ctx context.Context, response []byte, fn func(tx *store.Tx, answer *protocol.ParsedCredentialAssertionData) error) error {
	answer, err := i.parse(response)
	if err != nil {
		return err
	}
	var refusal error
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		err := fn(tx, answer)
		var s standing
		if refusal = nil; errors.As(err, &s) {
			refusal, err = s.error, nil
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

// BeginPasskey asks the browser of a fresh session to make a passkey.
func (i *Identity) BeginPasskey(ctx context.Context, s Session) (c Ceremony, err error) {
	if i.party == nil {
		return c, errNoPasskeys
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		h, err := holderOf(tx, user)
		if err != nil {
			return err
		}
		options, data, err := i.party.BeginRegistration(h,
			webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
				RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationPreferred}),
			webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
			webauthn.WithExclusions(webauthn.Credentials(h.list).CredentialDescriptors()))
		if err != nil {
			return err
		}
		c, err = i.open(tx, forRegistration, user.ID, options.Response, data)
		return err
	})
	return c, err
}

// FinishPasskey registers the passkey that the browser made. It returns recovery codes, to be shown once, if the person
// has none yet.
func (i *Identity) FinishPasskey(ctx context.Context, s Session, ticket, name string, response []byte, at Place) (codes []string, err error) {
	if i.party == nil {
		return nil, errNoPasskeys
	}
	if name, err = passkeyName(name); err != nil {
		return nil, err
	}
	answer, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, errPasskey
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		codes = nil
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		t, data, err := i.close(tx, forRegistration, ticket)
		if err != nil {
			return err
		}
		if t.User != user.ID {
			return errCeremony
		}
		credential, err := i.party.CreateCredential(&holder{user: user}, data, answer)
		if err != nil {
			return errPasskey
		}
		raw, err := json.Marshal(credential)
		if err != nil {
			return err
		}
		p := store.Passkey{ID: store.NewID("pky"), User: user.ID, Name: name, Credential: string(raw)}
		if err := tx.InsertPasskey(p, credential.ID); errors.Is(err, store.ErrTaken) {
			return counterfoil.Refuse(counterfoil.CodeNameTaken, "This passkey is registered already.")
		} else if err != nil {
			return err
		}
		if codes, err = i.firstCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "passkey", action: "passkey_added", proven: true, target: counterfoil.Target{Kind: "passkey", ID: p.ID, Name: p.Name}})
	})
	return codes, err
}

func passkeyName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || utf8.RuneCountInString(name) > 100 || strings.ContainsFunc(name, unicode.IsControl) {
		return "", counterfoil.Invalid([]counterfoil.Problem{{Pointer: "/name", Code: counterfoil.CodeValidationFailed, Detail: "A name has 1 to 100 characters."}})
	}
	return name, nil
}

// RenamePasskey renames a passkey of the person of a session.
func (i *Identity) RenamePasskey(ctx context.Context, s Session, id, name string) error {
	name, err := passkeyName(name)
	if err != nil {
		return err
	}
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		found, err := tx.RenamePasskey(user.ID, id, name)
		if err == nil && !found {
			err = errNotFound
		}
		return err
	})
}

// RemovePasskey removes a passkey of the person of a session. The last one of who has no password stays: nothing would
// let them in again.
func (i *Identity) RemovePasskey(ctx context.Context, s Session, id string, at Place) error {
	return i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		user, err := i.own(tx, s, true)
		if err != nil {
			return err
		}
		keys, err := tx.Passkeys(user.ID)
		if err != nil {
			return err
		}
		target := counterfoil.Target{Kind: "passkey", ID: id}
		for _, k := range keys {
			if k.ID == id {
				target.Name = k.Name
			}
		}
		if target.Name == "" {
			return errNotFound
		}
		if _, hasPassword, err := tx.Password(user.ID); err != nil {
			return err
		} else if !hasPassword && len(keys) == 1 {
			return counterfoil.Refuse(counterfoil.CodeInUse, "This is the only way in that you have. Set a password or add another passkey first.")
		}
		if _, err := tx.DeletePasskey(user.ID, id); err != nil {
			return err
		}
		if err := i.lastCodes(tx, user); err != nil {
			return err
		}
		return i.record(tx, at, user, "", happening{typ: "passkey", action: "passkey_deleted", proven: true, target: target})
	})
}
