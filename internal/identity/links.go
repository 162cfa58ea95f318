package identity

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	ticketSetup = "setup"
	setupLife   = 24 * time.Hour
)

var errLink = counterfoil.Refuse(counterfoil.CodeNotFound, "This link was used already, was replaced by a newer one, or is too old. Ask for another.")

// Founding is what an empty instance is prepared with.
type Founding struct{ Organization, Name, Email string }

// Link is the address of a page for which a one-time value is wanted.
func Link(base, page, value string) string {
	return strings.TrimSuffix(base, "/") + page + "?ticket=" + url.QueryEscape(value)
}

// SetupLink makes the one-time link to the page that prepares an empty instance; the one before is void.
func (i *Identity) SetupLink(ctx context.Context) (link string, err error) {
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		if err := tx.DeleteTickets(ticketSetup, "", ""); err != nil {
			return err
		}
		value, err := i.ticket(tx, store.Ticket{Kind: ticketSetup}, struct{}{}, setupLife)
		link = Link(i.URL, "/setup", value)
		return err
	})
	return link, err
}

// CanSetUp reports whether a set-up link is good.
func (i *Identity) CanSetUp(ctx context.Context, link string) (bool, error) {
	_, found, err := i.peek(ctx, ticketSetup, link)
	return found, err
}

// Setup prepares the instance with its first organization and owner, and signs the owner in.
func (i *Identity) Setup(ctx context.Context, link string, f Founding, password string, at Place) (out Outcome, err error) {
	digest, found, err := i.peek(ctx, ticketSetup, link)
	if err != nil {
		return out, err
	}
	if !found {
		return out, errLink
	}
	give, err := i.FirstPassword(ctx, f, password)
	if err != nil {
		return out, err
	}
	err = i.SetUp(ctx, at, f, func(tx *store.Tx, owner counterfoil.Member) error {
		if _, found, err := tx.TakeTicket(ticketSetup, digest); err != nil {
			return err
		} else if !found {
			return errLink
		}
		if err := give(tx, owner); err != nil {
			return err
		}
		out.Value, err = i.begin(tx, store.User{ID: owner.UserID, Email: owner.Email}, MethodPassword, "", "", at)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// FirstPassword checks the password that the first owner is to have, and returns what gives it to them.
func (i *Identity) FirstPassword(ctx context.Context, f Founding, password string) (func(tx *store.Tx, owner counterfoil.Member) error, error) {
	if err := passwordProblem(password, "counterfoil", i.Product, f.Organization, f.Name, f.Email); err != nil {
		return nil, err
	}
	hash, err := i.passwords.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	return func(tx *store.Tx, owner counterfoil.Member) error { return tx.SetPassword(owner.UserID, hash) }, nil
}

// peek finds whether a link is good, and the digest of its value.
func (i *Identity) peek(ctx context.Context, kind, value string) (digest []byte, found bool, err error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return nil, false, nil
	}
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		_, found, err = tx.Ticket(kind, digest)
		return err
	})
	return digest, found, err
}

// Invitation is what a link to join an organization says.
type Invitation struct {
	Email        string
	Organization string // its name
	// SignIn: the person has a way to sign in, or belongs to another organization. They sign in and accept; the link alone
	// sets no password, because whoever made it has seen it.
	SignIn bool
}

// invited is what the ticket of an invitation remembers.
type invited struct {
	Member string `json:"member"`
}

// Invitation reads a link to join an organization; false: it is not good, or no more.
func (i *Identity) Invitation(ctx context.Context, link string) (v Invitation, found bool, err error) {
	digest, ok := secret.PassDigest(link)
	if !ok {
		return v, false, nil
	}
	err = i.Store.View(ctx, "", func(tx *store.Tx) error {
		t, m, ok, err := i.invitation(tx, digest, tx.Ticket)
		if found = ok; err != nil || !ok {
			return err
		}
		v = Invitation{Email: m.Member.Email, Organization: m.Organization.Name}
		v.SignIn, err = i.established(tx, t.User, t.Organization)
		return err
	})
	return v, found, err
}

// invitation finds the ticket and the member who is invited still.
func (i *Identity) invitation(tx *store.Tx, digest []byte, find func(string, []byte) (store.Ticket, bool, error)) (t store.Ticket, m store.Membership, found bool, err error) {
	t, found, err = find(store.TicketInvitation, digest)
	if err != nil || !found {
		return t, m, false, err
	}
	var data invited
	if err := json.Unmarshal([]byte(t.Data), &data); err != nil {
		return t, m, false, err
	}
	list, err := tx.Memberships(t.User)
	for _, m := range list {
		if m.Member.ID == data.Member && m.Organization.ID == t.Organization && m.Member.Status == counterfoil.MemberInvited {
			return t, m, true, err
		}
	}
	return t, m, false, err
}

// established reports whether a person exists beyond the one organization: they can sign in, or another organization has
// them as more than invited. Then nobody but themselves gives them a password.
func (i *Identity) established(tx *store.Tx, user, organization string) (bool, error) {
	if has, err := wayIn(tx, user); err != nil || has {
		return has, err
	}
	return i.elsewhere(tx, user, organization)
}

// elsewhere reports whether another organization has the person as more than invited.
func (i *Identity) elsewhere(tx *store.Tx, user, organization string) (bool, error) {
	list, err := tx.Memberships(user)
	for _, m := range list {
		if m.Organization.ID != organization && m.Member.Status != counterfoil.MemberInvited {
			return true, err
		}
	}
	return false, err
}

// AcceptInvite makes an invited person an active member. Somebody new sets their password and is signed in; whoever has a
// way to sign in accepts with their session s.
func (i *Identity) AcceptInvite(ctx context.Context, link string, s *Session, password string, at Place) (out Outcome, err error) {
	digest, ok := secret.PassDigest(link)
	if !ok {
		return out, errLink
	}
	var t store.Ticket
	var m store.Membership
	var signIn bool
	var about []string
	err = i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		if t, m, ok, err = i.invitation(tx, digest, tx.Ticket); err != nil {
			return err
		}
		if !ok {
			return errLink
		}
		if about, err = i.about(tx, store.User{ID: t.User, Email: m.Member.Email}); err != nil {
			return err
		}
		signIn, err = i.established(tx, t.User, t.Organization)
		return err
	})
	if err != nil {
		return out, err
	}
	hash := ""
	if !signIn {
		if err := passwordProblem(password, about...); err != nil {
			return out, err
		}
		if hash, err = i.passwords.hash(ctx, password); err != nil {
			return out, err
		}
	}
	err = i.Join(ctx, at, t.Organization, m.Member.ID, func(tx *store.Tx) error {
		out = Outcome{}
		if _, found, err := tx.TakeTicket(store.TicketInvitation, digest); err != nil {
			return err
		} else if !found {
			return errLink
		}
		if signIn {
			return i.accepts(tx, s, t.User, m.Member.Email)
		}
		if now, err := i.established(tx, t.User, t.Organization); err != nil {
			return err
		} else if now {
			return errLink // they got a way to sign in at this moment
		}
		if err := tx.SetPassword(t.User, hash); err != nil {
			return err
		}
		out.Value, err = i.begin(tx, store.User{ID: t.User, Email: m.Member.Email}, MethodPassword, "", "", at)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	return out, nil
}

// accepts checks that the session is the invited person's own.
func (i *Identity) accepts(tx *store.Tx, s *Session, user, email string) error {
	if s == nil || s.UserID != user {
		return counterfoil.Refuse(counterfoil.CodeMissingCredentials, "You have an account already. Sign in as "+email+", then open the invitation again. If you have no password, let one be mailed to you.")
	}
	if _, err := i.own(tx, *s, false); err != nil {
		return err
	}
	if s.Organization != "" {
		return ErrOneOrganization
	}
	return nil
}

// DeclineInvite takes the invited person out of the organization.
func (i *Identity) DeclineInvite(ctx context.Context, link string, at Place) error {
	digest, ok := secret.PassDigest(link)
	if !ok {
		return errLink
	}
	var t store.Ticket
	var m store.Membership
	err := i.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		if t, m, ok, err = i.invitation(tx, digest, tx.Ticket); err == nil && !ok {
			err = errLink
		}
		return err
	})
	if err != nil {
		return err
	}
	return i.Decline(ctx, at, t.Organization, m.Member.ID, func(tx *store.Tx) error {
		if _, found, err := tx.TakeTicket(store.TicketInvitation, digest); err != nil || found {
			return err
		}
		return errLink
	})
}

// vouched is what the ticket of a console session remembers.
type vouched struct {
	Member    string `json:"member"`
	ReturnURL string `json:"return_url"`
}

// Enter signs a member in for whom the product vouched, in that organization alone. The value is good once, for a minute.
func (i *Identity) Enter(ctx context.Context, value string, at Place) (out Outcome, err error) {
	digest, ok := secret.PassDigest(value)
	if !ok {
		return out, errEnter
	}
	err = i.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		out = Outcome{}
		t, found, err := tx.TakeTicket(store.TicketConsole, digest)
		if err != nil {
			return err
		}
		if !found {
			return errEnter
		}
		var data vouched
		if err := json.Unmarshal([]byte(t.Data), &data); err != nil {
			return err
		}
		list, err := tx.Memberships(t.User)
		if err != nil {
			return err
		}
		for _, m := range list {
			if m.Member.ID == data.Member && m.Organization.ID == t.Organization && m.Member.Status == counterfoil.MemberActive {
				out.ReturnURL = data.ReturnURL
				out.Value, err = i.begin(tx, store.User{ID: t.User, Email: m.Member.Email}, MethodProduct, t.Organization, data.ReturnURL, at)
				return err
			}
		}
		return errEnter
	})
	return out, err
}

var errEnter = counterfoil.Refuse(counterfoil.CodeNotFound, "This address was good once, for a minute. Go back to where you came from and open the token pages there again.")
