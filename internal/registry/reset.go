package registry

import (
	"context"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ResetSignIn is LinkMember for a member who lost what they sign in with: it takes their password, device, passkeys and
// recovery codes away, and ends their sessions. The link alone lets them in.
func (r *Registry) ResetSignIn(ctx context.Context, c Caller, org, id string) (link MemberLink, err error) {
	_, err = r.do(ctx, c, org, OpLinkMember, func(w *work) error {
		m, err := w.memberToLink(id, w.caller.operator)
		if err != nil {
			return err
		}
		if m.ID == w.member.ID {
			return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "This is you: you change how you sign in on the page of your account.")
		}
		if m.Status == counterfoil.MemberInvited {
			return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "They have not joined yet: send the invitation again.")
		}
		if err := w.takeFactors(m); err != nil {
			return err
		}
		organization := org
		if w.caller.operator {
			organization = "" // the instance's own: good for whomever else has the person
		}
		if link, err = w.link(m, organization); err != nil {
			return err
		}
		w.record("password", "password_reset_requested", memberTarget(m), map[string]any{"removed": true})
		return nil
	})
	return link, err
}

// takeFactors removes everything that a member signs in with, links that were made or mailed before among it.
func (w *work) takeFactors(m counterfoil.Member) error {
	had, err := w.tx.DeleteTOTP(m.UserID)
	if err != nil {
		return err
	}
	if had {
		w.record("totp", "device_deleted", memberTarget(m), nil)
	}
	keys, err := w.tx.Passkeys(m.UserID)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := w.tx.DeletePasskey(m.UserID, k.ID); err != nil {
			return err
		}
		w.record("passkey", "passkey_deleted", memberTarget(m), map[string]any{"passkey": k.Name})
	}
	if err := w.tx.SetRecoveryCodes(m.UserID, nil); err != nil {
		return err
	}
	if err := w.tx.DeletePassword(m.UserID); err != nil {
		return err
	}
	for _, kind := range []string{store.TicketSignIn, store.TicketReset, store.TicketConsole} {
		if err := w.tx.DeleteTickets(kind, m.UserID, ""); err != nil {
			return err
		}
	}
	return w.tx.DeleteSessions(m.UserID, "")
}

// MemberByEmail finds an active member with an e-mail address, in whichever organization. It crosses organizations: it is for
// the operator alone.
func (r *Registry) MemberByEmail(ctx context.Context, c Caller, email string) (org, id string, err error) {
	if !c.operator {
		return "", "", errNotFound
	}
	err = r.Store.View(ctx, "", func(tx *store.Tx) error {
		user, found, err := tx.UserByEmail(strings.ToLower(strings.TrimSpace(email)))
		if err != nil || !found {
			return err
		}
		list, err := tx.Memberships(user.ID)
		for _, m := range list {
			if m.Member.Status == counterfoil.MemberActive && id == "" {
				org, id = m.Organization.ID, m.Member.ID
			}
		}
		return err
	})
	if err == nil && id == "" {
		err = counterfoil.Refuse(counterfoil.CodeNotFound, "Nobody with the e-mail address "+email+" is an active member of an organization here.")
	}
	return org, id, err
}
