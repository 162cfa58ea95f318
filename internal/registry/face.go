package registry

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// face shows a stored token as it is now.
func (w *work) face(t store.Token) (counterfoil.Token, error) {
	use, err := w.tx.LastUse(t.ID)
	if err != nil {
		return counterfoil.Token{}, err
	}
	var owner *store.Member
	if t.Owner != "" {
		if owner, err = w.owner(t.Owner); err != nil {
			return counterfoil.Token{}, err
		}
	}
	return w.faceOf(store.ListedToken{Token: t, LastUsedAt: use.At, LastUsedIP: use.IP}, owner), nil
}

// owner finds a member; one that is gone has only an id.
func (w *work) owner(id string) (*store.Member, error) {
	if id == w.member.ID {
		return &w.member, nil
	}
	m, found, err := w.tx.Member(id)
	if !found {
		m.ID = id
	}
	return &m, err
}

// underOf returns the rules that stand above the tokens of the transaction's organization.
func (w *work) under() *rules.Compiled {
	if w.rules == nil {
		return rules.System(w.r.Rules.InForce.Catalogue())
	}
	return w.rules
}

func (w *work) faceOf(t store.ListedToken, owner *store.Member) counterfoil.Token {
	under := w.under()
	record := rules.Record(&t.Token)
	var holder *judge.Holder
	face := counterfoil.Token{
		ID: t.ID, Kind: t.Kind, Name: t.Name, Hint: t.Hint, Permissions: t.Permissions,
		Status: judge.Status(&record, &under.Rules, w.tx.Now()), CreatedAt: t.CreatedAt.Time(), CreatedBy: t.CreatedBy,
		RenewedAt: t.RenewedAt.Time(), ExpiresAt: t.ExpiresAt.Ptr(), EffectiveExpiresAt: judge.EffectiveExpiry(&record, &under.Rules).Ptr(),
		RevokedAt: t.RevokedAt.Ptr(),
	}
	if t.Integration != "" {
		face.Integration = &t.Integration
	}
	if t.Organization != "" {
		face.OrganizationID = &t.Organization
	}
	if owner != nil {
		face.Owner = &counterfoil.Owner{ID: owner.ID, Name: owner.Name, Email: owner.Email}
		holder = w.holderOf(*owner)
	}
	face.EffectivePermissions = judge.Effective(&record, holder, &under.Rules)
	if t.IPFilter != "" {
		face.IPFilter = &counterfoil.IPFilterRef{ID: t.IPFilter}
		if f, ok := under.IPFilter(t.IPFilter); ok {
			face.IPFilter.Name = f.Name
		}
	}
	if t.LastUsedAt != 0 {
		face.LastUsed = &counterfoil.LastUsed{At: t.LastUsedAt.Time(), IP: t.LastUsedIP}
	}
	if t.PreviousUntil > w.tx.Now() {
		face.PreviousValidUntil = t.PreviousUntil.Ptr()
	}
	if t.RevokedAt != 0 {
		by, reason := t.RevokedBy, t.RevokedReason
		face.RevokedBy = &by
		if reason != "" {
			face.RevokedReason = &reason
		}
	}
	return face
}
