package registry

import (
	"context"
	"errors"
	"net/netip"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/providerjwt"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

var errInvalidJWT = counterfoil.Refuse(counterfoil.CodeInvalidToken, judge.Message(counterfoil.CodeInvalidToken))

// AcceptJWT finds the caller that a provider's signed JWT speaks for, and remembers its jti, so that it is accepted this
// once. Every fault is invalid_token; what is wrong is said only where the signature is good.
func (r *Registry) AcceptJWT(ctx context.Context, presented string, ip netip.Addr, userAgent string) (Caller, error) {
	token, err := providerjwt.Parse(presented)
	if err != nil {
		return Caller{}, errInvalidJWT
	}
	var key store.ProviderKey
	var claims providerjwt.Claims
	err = r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		key, claims, err = r.checkJWT(tx, token)
		return err
	})
	if err != nil {
		return Caller{}, err
	}
	err = r.Store.Update(ctx, key.Provider, store.ForTokens, func(tx *store.Tx) error {
		if _, _, err := r.checkJWT(tx, token); err != nil { // it may have been revoked meanwhile
			return err
		}
		return tx.AcceptJWT(key.ID, claims.JTI, counterfoil.At(claims.Until), address(ip))
	})
	if errors.Is(err, store.ErrTaken) {
		return Caller{}, counterfoil.Refuse(counterfoil.CodeInvalidToken, "The claim jti was used before: make a new JWT for each request.")
	}
	if err != nil {
		return Caller{}, err
	}
	return Caller{Kind: counterfoil.KindProvider, Provider: key.Provider, ProviderKey: key.ID, Organization: key.Provider,
		Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceAPI, IP: ip}, UserAgent: userAgent}, nil
}

func address(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// checkJWT finds the key that a token names and judges the token by it.
func (r *Registry) checkJWT(tx *store.Tx, token *providerjwt.Token) (key store.ProviderKey, claims providerjwt.Claims, err error) {
	key, found, err := tx.ProviderKeyByID(token.KeyID)
	if err != nil {
		return key, claims, err
	}
	if !found {
		return key, claims, errInvalidJWT
	}
	against, err := r.jwtKey(key)
	if err != nil {
		return key, claims, err
	}
	claims, err = token.Check(against, tx.Now().Time())
	var refused *providerjwt.Refused
	switch {
	case errors.As(err, &refused):
		return key, claims, counterfoil.Refuse(counterfoil.CodeInvalidToken, "The JWT is signed well and not accepted. "+refused.Error())
	case err != nil:
		return key, claims, errInvalidJWT
	}
	return key, claims, nil
}

// jwtKey is what a JWT that names a stored key is judged by.
func (r *Registry) jwtKey(k store.ProviderKey) (providerjwt.Key, error) {
	public, _, _, err := secret.ParsePublicKey(k.Public)
	return providerjwt.Key{ID: k.ID, Algorithm: string(k.Algorithm), Public: public, Issuer: k.Provider, Audience: r.audience(), Revoked: k.RevokedAt != 0}, err
}

// audience is what a provider's JWT has to be for: this API, by its base URL.
func (r *Registry) audience() string { return r.URL }

// admitProvider judges a provider's key by what holds inside the transaction: it is live, its provider is active, and the
// organization is the provider itself or one that it manages.
func (r *Registry) admitProvider(w *work, op *Operation) error {
	var key store.ProviderKey
	var provider store.Organization
	if err := w.tx.Hold(w.caller.Provider); err != nil {
		return err
	}
	err := w.tx.In(w.caller.Provider, func(tx *store.Tx) (err error) {
		if key, _, err = tx.ProviderKeyByID(w.caller.ProviderKey); err != nil {
			return err
		}
		provider, _, err = tx.CurrentOrganization()
		return err
	})
	switch {
	case err != nil:
		return err
	case key.Provider != w.caller.Provider || key.RevokedAt != 0 || provider.Deleted || !provider.Provider:
		return errInvalidJWT
	case provider.Status != counterfoil.OrgActive:
		return counterfoil.Refuse(counterfoil.CodeOrganizationSuspended, "The provider's organization is suspended.")
	case w.rules == nil:
		return errNotFound
	}
	w.provider = &provider
	if w.tx.Organization() == provider.ID {
		w.holds = counterfoil.NewPermissions(counterfoil.PermOrganizationsRead, counterfoil.PermOrganizationsWrite, counterfoil.PermProviderKeysWrite, counterfoil.PermUsageRead)
	} else if manager(w.rules.Org) == provider.ID {
		w.holds = w.rules.Catalogue.People().Union(w.rules.Catalogue.ForKind(counterfoil.KindOrganization))
	} else {
		return errNotFound
	}
	if op.Permission != "" && !op.Own && !w.holds.Has(op.Permission) {
		return lacking(op.Permission)
	}
	return nil
}

// manager is the provider that manages an organization; empty: none.
func manager(o store.Organization) string {
	if o.ManagedBy == nil {
		return ""
	}
	return *o.ManagedBy
}

// concerns reports whether the caller may know of what belongs to an organization.
func (w *work) concerns(org string) (is bool, err error) {
	if w.system() || org == w.caller.Organization {
		return true, nil
	}
	if org == "" || w.rules == nil {
		return false, nil
	}
	var o store.Organization
	err = w.tx.In(org, func(tx *store.Tx) (err error) {
		o, _, err = tx.CurrentOrganization()
		return err
	})
	if err != nil || manager(o) != w.rules.Org.ID || o.Deleted {
		return false, err
	}
	switch w.rules.Reach(w.member.Roles) {
	case rules.ReachAll:
		return true, nil
	case rules.ReachAssigned:
		return w.tx.Assigned(w.member.ID, org)
	}
	return w.caller.ProviderKey != "", nil
}

// ResolveProvider finds the provider that a request is about: a system credential names it, any other's is its own, which it
// may name as well.
func (r *Registry) ResolveProvider(ctx context.Context, c Caller, name, pointer string) (string, error) {
	if c.Kind != counterfoil.KindSystem {
		own := c.Organization
		if c.Provider != "" {
			own = c.Provider
		}
		if name == "" || name == own || name == "current" {
			return own, nil
		}
		id, found, err := r.Store.ResolveOrganization(ctx, name)
		if err == nil && (!found || id != own) {
			err = errNotFound
		}
		return id, err
	}
	if name == "" {
		return "", counterfoil.Invalid(append(c.Faults, invalid(pointer, "a system token names the provider here")))
	}
	return r.Resolve(ctx, c, name)
}

// requireProvider refuses what only a provider has.
func (w *work) requireProvider() error {
	if w.rules == nil {
		return errNotFound
	}
	if !w.rules.Org.Provider {
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This organization is no provider: it manages no others.")
	}
	return nil
}
