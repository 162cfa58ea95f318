package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Origin is where a request comes from of somebody who is no Caller: they hold a link, or are signing in.
type Origin struct {
	IP        netip.Addr
	UserAgent string
}

func (o Origin) operator() Caller {
	c := Operator()
	c.Attempt.IP, c.UserAgent = o.IP, o.UserAgent
	return c
}

// MemberLink is a one-time address for a member. Whoever has it can become them: it is shown once and handed to nobody
// else.
type MemberLink struct {
	Member    counterfoil.Member
	Purpose   string // invitation or password_reset
	URL       string
	ExpiresAt time.Time
}

const (
	invitationLife = 7 * 24 * 60 * 60 // seconds
	resetLife      = 24 * 60 * 60
	consoleLife    = 60
)

// Invite is AddMember that returns the link of the invitation as well.
func (r *Registry) Invite(ctx context.Context, c Caller, org string, draft counterfoil.MemberDraft) (link MemberLink, err error) {
	_, err = r.do(ctx, c, org, OpAddMember, func(w *work) error {
		if err := w.person(); err != nil {
			return err
		}
		m, err := w.addMember(draft)
		if err != nil {
			return err
		}
		link, err = w.link(m, org)
		return err
	})
	return link, err
}

// LinkMember makes a member's link: of the invitation for one who is invited, else to set a new password. The one before
// is void.
//
// A link opens whatever its member can open. So the caller must be able to hand on the member's roles; and a link to set
// a password is refused for a person whom another organization has too, because it would open that.
func (r *Registry) LinkMember(ctx context.Context, c Caller, org, id string) (link MemberLink, err error) {
	_, err = r.do(ctx, c, org, OpLinkMember, func(w *work) error {
		m, err := w.memberToLink(id, false)
		if err != nil {
			return err
		}
		if link, err = w.link(m, org); err != nil {
			return err
		}
		if link.Purpose == store.TicketInvitation {
			w.record("invites", "user_invite_resent", memberTarget(m), nil)
		} else {
			w.record("password", "password_reset_requested", memberTarget(m), nil)
		}
		return nil
	})
	return link, err
}

// memberToLink finds a member for whom the caller may make a link; anywhere: also one whom another organization has.
func (w *work) memberToLink(id string, anywhere bool) (m counterfoil.Member, err error) {
	if err := w.person(); err != nil {
		return m, err
	}
	if m, err = w.memberToChange(id); err != nil {
		return m, err
	}
	if w.visitor != nil && m.Status != counterfoil.MemberInvited {
		return m, counterfoil.Refuse(counterfoil.CodeMissingPermission, "You act here for the provider: an admin of the organization itself makes this link, which lets in whoever has it.")
	}
	if problems := w.assignProblems(m.Roles); len(problems) > 0 {
		return m, counterfoil.Refuse(counterfoil.CodeMissingPermission, "Their roles hold more than yours, and a link would open it all: "+problems[0].Detail+".")
	}
	if m.Status == counterfoil.MemberInvited || anywhere {
		return m, nil
	}
	list, err := w.tx.Memberships(m.UserID)
	if err != nil {
		return m, err
	}
	for _, other := range list {
		if other.Organization.ID != w.tx.Organization() && other.Member.Status != counterfoil.MemberInvited {
			return m, counterfoil.Refuse(counterfoil.CodeMissingPermission,
				"They set their password themselves, by \"Forgot password\" on the sign-in page: it opens more than this organization.")
		}
	}
	return m, nil
}

// person refuses tokens: a link would let them become somebody.
func (w *work) person() error {
	if w.caller.Session == "" && !w.caller.operator {
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Links are made by people who are signed in to the console, not by tokens.")
	}
	return nil
}

// link makes the ticket that fits the member's status. An organization's is void once another one has the person too.
func (w *work) link(m counterfoil.Member, organization string) (MemberLink, error) {
	link, page, life := MemberLink{Member: m, Purpose: store.TicketReset}, "/reset", int64(resetLife)
	if m.Status == counterfoil.MemberInvited {
		link.Purpose, page, life = store.TicketInvitation, "/invitation", invitationLife
	}
	if err := w.tx.DeleteTickets(link.Purpose, m.UserID, organization); err != nil {
		return MemberLink{}, err
	}
	t := store.Ticket{Kind: link.Purpose, User: m.UserID, Organization: organization, ExpiresAt: w.tx.Now().Plus(life)}
	value, err := w.ticket(t, map[string]string{"member": m.ID})
	link.URL, link.ExpiresAt = w.r.page(page, value), t.ExpiresAt.Time()
	return link, err
}

func (w *work) ticket(t store.Ticket, data map[string]string) (value string, err error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	value = secret.MintPass()
	digest, _ := secret.PassDigest(value)
	t.Data = string(raw)
	return value, w.tx.InsertTicket(t, digest)
}

// page is the address of a page of the console with a one-time value.
func (r *Registry) page(path, value string) string {
	return strings.TrimSuffix(cmp.Or(r.ConsoleURL, r.URL), "/") + path + "?ticket=" + value
}

// voidLinks voids what was made for a member as they were: it would open what they have become.
func (w *work) voidLinks(m counterfoil.Member) error {
	for _, kind := range []string{store.TicketInvitation, store.TicketReset, store.TicketConsole} {
		if err := w.tx.DeleteTickets(kind, m.UserID, w.tx.Organization()); err != nil {
			return err
		}
	}
	return nil
}

// AcceptInvitation makes an invited member active, on behalf of whoever holds the link; within takes it.
func (r *Registry) AcceptInvitation(ctx context.Context, from Origin, org, member string, within func(tx *store.Tx) error) error {
	return r.invited(ctx, from, org, member, OpAcceptInvitation, within, func(w *work, m counterfoil.Member) error {
		m.Status = counterfoil.MemberActive
		if err := w.tx.UpdateMember(m); err != nil {
			return err
		}
		w.record("invites", "user_invite_accepted", memberTarget(m), map[string]any{"roles": m.Roles})
		return nil
	})
}

// DeclineInvitation takes an invited member out again, on behalf of whoever holds the link; within takes it.
func (r *Registry) DeclineInvitation(ctx context.Context, from Origin, org, member string, within func(tx *store.Tx) error) error {
	return r.invited(ctx, from, org, member, OpDeclineInvitation, within, func(w *work, m counterfoil.Member) error {
		if err := w.tx.DeleteMember(m.ID); err != nil {
			return err
		}
		w.record("invites", "user_invite_declined", memberTarget(m), nil)
		return nil
	})
}

func (r *Registry) invited(ctx context.Context, from Origin, org, member string, op *Operation, within func(*store.Tx) error, act func(*work, counterfoil.Member) error) error {
	_, err := r.do(ctx, from.operator(), org, op, func(w *work) error {
		m, found, err := w.tx.Member(member)
		if err != nil {
			return err
		}
		if !found || m.Status != counterfoil.MemberInvited {
			return errNotFound
		}
		w.member, w.caller.operator = m, false // what is recorded is the member's doing
		if err := within(w.tx); err != nil {
			return err
		}
		return act(w, m.Member)
	})
	return err
}

// CreateConsoleSession makes an address that signs a member in to the console, in this organization alone: the product
// vouches for them.
func (r *Registry) CreateConsoleSession(ctx context.Context, c Caller, org string, draft counterfoil.ConsoleSessionDraft) (counterfoil.ConsoleSession, error) {
	return create(r, ctx, c, org, OpCreateConsoleSession, func(w *work) (s counterfoil.ConsoleSession, _ string, err error) {
		if w.rules == nil {
			return s, "", errNotFound
		}
		m, found, err := w.tx.Member(draft.Member)
		if err != nil {
			return s, "", err
		}
		var problems []counterfoil.Problem
		if !found || m.Status != counterfoil.MemberActive {
			problems = append(problems, invalid("/member", "this is no active member of the organization"))
		}
		if draft.ReturnURL != "" && !returnable(draft.ReturnURL) {
			problems = append(problems, invalid("/return_url", "want an https address, or http on the machine itself"))
		}
		if err := counterfoil.Invalid(problems); err != nil {
			return s, "", err
		}
		t := store.Ticket{Kind: store.TicketConsole, User: m.UserID, Organization: org, ExpiresAt: w.tx.Now().Plus(consoleLife)}
		value, err := w.ticket(t, map[string]string{"member": m.ID, "return_url": draft.ReturnURL})
		if err != nil {
			return s, "", err
		}
		w.record("sessions", "console_session_created", memberTarget(m.Member), nil)
		return counterfoil.ConsoleSession{URL: r.page("/enter", value), ExpiresAt: t.ExpiresAt.Time()}, consoleAnswer, nil
	})
}

// consoleAnswer stands in place of a token where an Idempotency-Key made an address, which is a secret as well.
const consoleAnswer = "console session"

// returnable reports whether a page may offer an address as a link.
func returnable(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || len(s) > 2000 || strings.ContainsAny(s, "\\\r\n\t ") {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}
