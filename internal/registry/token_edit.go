package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// tokenToChange finds a token that the caller may act on, with its owner. What the caller may not see is not found.
func (w *work) tokenToChange(id string) (t store.Token, owner *store.Member, err error) {
	t, found, err := w.tx.TokenForUpdate(id)
	if err != nil {
		return t, nil, err
	}
	if !found || !(w.maySee(t) || w.has(counterfoil.PermTokensWrite)) {
		return t, nil, errNotFound
	}
	if t.Owner != "" {
		if owner, err = w.owner(t.Owner); err != nil {
			return t, nil, err
		}
	}
	if w.barred(t.Kind) && w.changes {
		return t, nil, errNoIntegrations
	}
	if !w.own(t) {
		if !w.has(counterfoil.PermTokensWrite) {
			return t, nil, lacking(counterfoil.PermTokensWrite)
		}
		if owner != nil && slices.Contains(owner.Roles, counterfoil.RoleOwner) && !w.isOwner() {
			return t, nil, counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only an owner of the organization acts on an owner's tokens.")
		}
	}
	return t, owner, nil
}

var errRevoked = counterfoil.Refuse(counterfoil.CodeAlreadyRevoked, "This token is revoked, for good. Create another one.")

// EditToken changes a token's name, permissions, expiry, IP filter or pause; its value stays the same (P6, H4).
func (r *Registry) EditToken(ctx context.Context, c Caller, org, id string, edit counterfoil.Edit) (face counterfoil.Token, receipt counterfoil.Receipt, err error) {
	op := OpEditToken
	if org == "" {
		op = OpEditSystemToken
	}
	c.itself = id == c.TokenID
	receipt, err = r.do(ctx, c, org, op, func(w *work) error {
		t, owner, err := w.tokenToChange(id)
		if err != nil {
			return err
		}
		if t.RevokedAt != 0 {
			return errRevoked
		}
		if !w.own(t) && t.Kind == counterfoil.KindPersonal && !w.system() && (edit.Name != nil || edit.Permissions != nil || edit.ExpiresAt != nil || edit.IPFilter != nil) {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Another member's personal token can be paused or revoked, not edited.")
		}
		if err := w.editToken(&t, owner, edit); err != nil {
			return err
		}
		face, err = w.face(t)
		return err
	})
	return face, receipt, err
}

func (w *work) editToken(t *store.Token, owner *store.Member, edit counterfoil.Edit) error {
	var problems []counterfoil.Problem
	var diff changed
	if edit.Name != nil {
		problems = nameProblem("/name", *edit.Name)
		if *edit.Name != t.Name {
			diff.note("name", t.Name, *edit.Name)
			t.Name = *edit.Name
		}
	}
	change := judge.Change{Permissions: edit.Permissions}
	if edit.ExpiresAt != nil {
		at := counterfoil.At(*edit.ExpiresAt)
		if at == 0 && !edit.ExpiresAt.IsZero() { // 1970 is a time, and past
			problems = append(problems, invalid("/expires_at", "the expiry is in the past"))
		}
		change.ExpiresAt = &at
	}
	if edit.IPFilter != nil {
		filter := w.filterID(*edit.IPFilter)
		change.IPFilter = &filter
	}
	before := rules.Record(t)
	var holder *judge.Holder
	if owner != nil {
		holder = w.holderOf(*owner)
	}
	after, found := judge.Edit(&before, change, w.grantsTo(t.Kind), holder, &w.under().Rules, w.tx.Now())
	if err := counterfoil.Invalid(merge(problems, found)); err != nil {
		return err
	}
	if !slices.Equal(before.Permissions, after.Permissions) {
		diff.note("permissions", before.Permissions, after.Permissions)
	}
	if before.ExpiresAt != after.ExpiresAt {
		diff.note("expires_at", before.ExpiresAt.Ptr(), after.ExpiresAt.Ptr())
	}
	if before.IPFilter != after.IPFilter {
		diff.note("ip_filter", before.IPFilter, after.IPFilter)
	}
	t.Permissions, t.ExpiresAt, t.RenewedAt, t.IPFilter = after.Permissions, after.ExpiresAt, after.RenewedAt, after.IPFilter
	resumed, err := w.pause(t, holder, edit.Paused)
	if err != nil {
		return err
	}
	if !diff.any() && !resumed {
		return nil // nothing changes, nothing is recorded
	}
	if err := w.tx.UpdateToken(*t); err != nil {
		return err
	}
	t.Version++
	if diff.any() {
		w.recordToken(*t, "token_updated", diff.metadata())
	}
	if resumed {
		w.recordToken(*t, map[bool]string{true: "token_paused", false: "token_resumed"}[t.Paused], nil)
	}
	return nil
}

// grantsTo is what the caller may hand on to a token of a kind: a system token to its like no more than it holds itself; a
// provider's technician to a personal one what it is good for elsewhere as well.
func (w *work) grantsTo(kind counterfoil.Kind) counterfoil.Permissions {
	switch {
	case kind == counterfoil.KindSystem:
		return w.holds
	case kind == counterfoil.KindPersonal && w.member.ID != "" && w.rules.Org.Provider:
		abroad := w.rules.Abroad(w.member)
		if w.caller.Session == "" {
			abroad = abroad.Within(w.snapshot)
		}
		return w.grants().Union(abroad)
	}
	return w.grants()
}

// holderOf is what a personal token of a member may be good for at all.
func (w *work) holderOf(m store.Member) *judge.Holder {
	h := w.under().Holder(m)
	if w.rules != nil && w.rules.Org.Provider {
		h.Permissions = h.Permissions.Union(w.rules.Abroad(m))
	}
	return h
}

// errNoIntegrations and barred keep a provider's technician from an organization's integrations (M7).
var errNoIntegrations = counterfoil.Refuse(counterfoil.CodeMissingPermission, "A technician has no part in the organization's integrations.")

func (w *work) barred(kind counterfoil.Kind) bool {
	return kind == counterfoil.KindIntegration && w.visitor != nil && w.visitor.reach == rules.ReachAssigned
}

// pause pauses or resumes t and reports whether that changed anything. Resuming hands back what the token may do, so the
// caller must hold that much; what an admin has paused its owner cannot resume.
func (w *work) pause(t *store.Token, holder *judge.Holder, paused *bool) (bool, error) {
	held := !w.own(*t)
	if paused == nil || (*paused == t.Paused && (t.Held || t.Held == held || !*paused)) {
		return false, nil
	}
	if !*paused {
		if t.Held && w.own(*t) && !w.has(counterfoil.PermTokensWrite) {
			return false, counterfoil.Refuse(counterfoil.CodeMissingPermission, "This token was paused by an admin of the organization, who can resume it.")
		}
		if err := w.coversOf(t, holder); err != nil {
			return false, err
		}
	}
	t.Paused, t.Held = *paused, *paused && held
	return true, nil
}

// coversOf refuses a caller that does not itself hold what t may do now (S7).
func (w *work) coversOf(t *store.Token, holder *judge.Holder) error {
	record := rules.Record(t)
	lacking := judge.Effective(&record, holder, &w.under().Rules).Beyond(w.grantsTo(t.Kind))
	if len(lacking) == 0 {
		return nil
	}
	return counterfoil.Invalid([]counterfoil.Problem{{Code: counterfoil.CodePermissionNotHeld,
		Detail: fmt.Sprintf("this credential does not hold what the token may do: %s", strings.Join(lacking, ", "))}})
}

// MaxGrace is the longest time a value may outlive its rotation, in seconds: 7 days (H4).
const MaxGrace = 7 * 24 * 60 * 60

// RotateToken gives a token a new value under the same id. The old value dies at once, or after the grace.
func (r *Registry) RotateToken(ctx context.Context, c Caller, org, id string, graceSeconds int64) (rotated counterfoil.Rotated, err error) {
	op := OpRotateToken
	if org == "" {
		op = OpRotateSystemToken
	}
	c.itself = id == c.TokenID
	rotated.Receipt, err = r.do(ctx, c, org, op, func(w *work) error {
		t, owner, err := w.tokenToChange(id)
		if err != nil {
			return err
		}
		if t.RevokedAt != 0 {
			return errRevoked
		}
		if graceSeconds < 0 || graceSeconds > MaxGrace {
			return counterfoil.Invalid([]counterfoil.Problem{invalid("/grace_seconds", "the grace is 0 to 604800 seconds (7 days)")})
		}
		if !w.own(t) && t.Kind == counterfoil.KindPersonal && !w.system() {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "Another member's personal token can be paused or revoked, not rotated.")
		}
		var holder *judge.Holder
		if owner != nil {
			holder = w.holderOf(*owner)
		}
		if err := w.coversOf(&t, holder); err != nil {
			return err
		}
		w.turn(&t)
		value := secret.Remint(w.r.Prefix, shortKinds[t.Kind], strings.TrimPrefix(t.ID, "tok_"))
		t.Previous, t.PreviousKeyID, t.PreviousUntil = t.Digest, t.KeyID, w.tx.Now().Plus(graceSeconds)
		if graceSeconds == 0 {
			t.PreviousUntil = 1 // past by every transaction's clock, also one that began before this one ends
		}
		t.KeyID = w.r.Keys.Current()
		t.Digest, _ = w.r.Keys.Digest(t.KeyID, value.Reveal())
		t.Hint = value.Hint()
		if err := w.tx.UpdateToken(t); err != nil {
			return err
		}
		if graceSeconds > 0 {
			if err := w.tx.WatchPrevious(t.ID, t.PreviousUntil); err != nil {
				return err
			}
		}
		w.ended(&t, true)
		w.recordToken(t, "token_rotated", map[string]any{"grace_seconds": graceSeconds})
		rotated.Token, err = w.face(t)
		rotated.Secret = value.Reveal()
		return err
	})
	if err != nil {
		return counterfoil.Rotated{}, err
	}
	return rotated, nil
}

// RevokeToken revokes a token for good. Again, it answers with the same receipt (P8, N5).
func (r *Registry) RevokeToken(ctx context.Context, c Caller, org, id, reason string) (counterfoil.Revoked, error) {
	op := OpRevokeToken
	if org == "" {
		op = OpRevokeSystemToken
	}
	return r.revoke(ctx, c, org, op, id, reason)
}

// RevokeCurrentToken revokes the presented token.
func (r *Registry) RevokeCurrentToken(ctx context.Context, c Caller, reason string) (counterfoil.Revoked, error) {
	return r.revoke(ctx, c, c.Organization, OpRevokeSelf, c.TokenID, reason)
}

func (r *Registry) revoke(ctx context.Context, c Caller, org string, op *Operation, id, reason string) (revoked counterfoil.Revoked, err error) {
	earlier := ""
	c.itself = id == c.TokenID
	receipt, err := r.do(ctx, c, org, op, func(w *work) error {
		var t store.Token
		var owner *store.Member
		var err error
		earlier = ""
		if op == OpRevokeSelf {
			t, _, err = w.tx.TokenForUpdate(id)
		} else {
			t, owner, err = w.tokenToChange(id)
		}
		if err != nil {
			return err
		}
		if t.RevokedAt == 0 {
			t.RevokedAt, t.RevokedBy, t.RevokedReason = w.tx.Now(), w.actorID(), reason
			t.Receipt = store.NewID("rcp")
			w.receiptID = t.Receipt
			if err := w.tx.UpdateToken(t); err != nil {
				return err
			}
			w.ended(&t, false)
			w.recordToken(t, "token_revoked", map[string]any{"reason": reason})
		} else {
			earlier = t.Receipt
			w.ended(&t, false) // whoever was not answered then is answered now
		}
		if owner == nil && t.Owner != "" {
			if owner, err = w.owner(t.Owner); err != nil {
				return err
			}
		}
		use, err := w.tx.LastUse(t.ID)
		revoked.Token = w.faceOf(store.ListedToken{Token: t, LastUsedAt: use.At, LastUsedIP: use.IP}, owner)
		return err
	})
	if err != nil {
		return counterfoil.Revoked{}, err
	}
	if earlier != "" {
		again, now := receipt, r.Now().Time()
		receipt, err = r.storedReceipt(ctx, earlier)
		// Whoever revoked it died before the answer, or is about to give it; in one process alone a receipt is complete before that.
		if err == nil && (!receipt.Complete || len(receipt.Nodes) == 0 && now.Sub(receipt.RevokedAt) < certain) {
			receipt = r.keep(ctx, org, confirmedLater(receipt, again, now))
		}
	}
	revoked.Receipt = receipt
	return revoked, err
}
