package verify_test

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

var both = []string{"devices:read", "devices:write"}

func ptr[T any](v T) *T { return &v }

func edit(token string, e counterfoil.Edit) func(*organization) error {
	return func(o *organization) error {
		_, _, err := o.registry.EditToken(context.Background(), registry.Operator(), o.of(token), o.tokens[token].Token.ID, e)
		return err
	}
}

// of is the organization that a token belongs to.
func (o *organization) of(token string) string {
	if token == "system" {
		return ""
	}
	return o.id
}

// expire lets a token end in a second, and the second pass.
func expire(token string) func(*organization) error {
	return func(o *organization) error {
		at := o.Store.Now().Time().Add(time.Second)
		defer o.later(time.Second)
		return edit(token, counterfoil.Edit{ExpiresAt: &at})(o)
	}
}

// rotate makes a new value, which must be good at once.
func rotate(token string) func(*organization) error {
	return func(o *organization) error {
		made, err := o.rotated(token, 0)
		if err == nil {
			o.wants(made.Secret, o.use(token), counterfoil.CodeOK)
		}
		return err
	}
}

// grace rotates a token and leaves its old value good; finish ends that.
func grace(token string) func(*organization) error {
	return func(o *organization) error {
		_, err := o.rotated(token, 600)
		return err
	}
}

func finish(token string) func(*organization) error {
	return func(o *organization) error {
		_, err := o.registry.EndPreviousValue(context.Background(), registry.Operator(), o.of(token), o.tokens[token].Token.ID, 0)
		return err
	}
}

// rotated makes a new value and keeps the old one for the grace, in seconds.
func (o *organization) rotated(token string, grace int64) (counterfoil.Rotated, error) {
	return o.registry.RotateToken(context.Background(), registry.Operator(), o.of(token), o.tokens[token].Token.ID, grace)
}

func revoke(token string) func(*organization) error {
	return func(o *organization) error { return o.revoke(token) }
}

func revokeSelf(token string) func(*organization) error {
	return func(o *organization) error {
		t := o.tokens[token].Token
		found, err := o.Find(context.Background(), o.tokens[token].Secret)
		if err != nil {
			return err
		}
		keyID, digest := found.Presented()
		caller := registry.Caller{TokenID: t.ID, Kind: t.Kind, Organization: o.of(token), KeyID: keyID, Digest: digest,
			Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceSelf, IP: inside}}
		_, err = o.registry.RevokeCurrentToken(context.Background(), caller, "lost")
		return err
	}
}

func from(ip netip.Addr) counterfoil.Attempt {
	a := reading()
	a.IP = ip
	return a
}

func at(method, path string) counterfoil.Attempt {
	a := reading()
	a.Permissions, a.Method, a.Path = nil, method, path
	return a
}

// apply applies the catalogue with a text replaced.
func apply(old, new string) func(*organization) error {
	return func(o *organization) error {
		text := wholeCatalogue
		if old != "" {
			if text = strings.ReplaceAll(text, old, new); text == wholeCatalogue {
				o.Fatalf("%q is not in the catalogue", old)
			}
		}
		_, _, err := o.registry.ApplyCatalogue(context.Background(), registry.Operator(), text)
		return err
	}
}

func policy(kind counterfoil.Kind, change func(*counterfoil.PolicyTerms, *organization)) func(*organization) error {
	return func(o *organization) error {
		over := func(p counterfoil.PolicyTerms) counterfoil.PolicyTerms {
			change(&p, o)
			return p
		}
		_, _, err := o.registry.SetPolicy(context.Background(), registry.Operator(), o.id, kind, over, registry.Guarded{})
		return err
	}
}

func disallow(p *counterfoil.PolicyTerms, _ *organization) { p.Allowed = false }

func enforce(p *counterfoil.PolicyTerms, o *organization) { p.EnforcedIPFilter = &o.office.ID }

// asNew undoes disallow, enforce and a short longest lifetime.
func asNew(p *counterfoil.PolicyTerms, _ *organization) {
	p.Allowed, p.EnforcedIPFilter, p.MaxLifetimeSeconds = true, nil, nil
}

func anHourPasses(o *organization) error {
	o.later(time.Hour)
	return nil
}

func filterRules(text string) func(*organization) error {
	return func(o *organization) error {
		_, _, err := o.registry.EditIPFilter(context.Background(), registry.Operator(), o.id, o.office.ID, counterfoil.IPFilterEdit{Rules: &text}, registry.Guarded{})
		return err
	}
}

func makeAndDeleteFilter(o *organization) error {
	ctx, op := context.Background(), registry.Operator()
	f, err := o.registry.CreateIPFilter(ctx, op, o.id, counterfoil.IPFilterDraft{Name: "attic", Rules: "deny all"})
	if err == nil {
		o.compare("with one more filter")
		_, err = o.registry.DeleteIPFilter(ctx, op, o.id, f.ID)
	}
	return err
}

func makeAndDeleteRole(o *organization) error {
	ctx, op := context.Background(), registry.Operator()
	made, err := o.registry.CreateRole(ctx, op, o.id, counterfoil.RoleDraft{Name: "guest", Permissions: []string{}})
	if err == nil {
		o.compare("with one more role")
		_, err = o.registry.DeleteRole(ctx, op, o.id, made.ID)
	}
	return err
}

func makeAndRevokeProviderKey(o *organization) error {
	ctx, op := context.Background(), registry.Operator()
	provider, err := o.registry.CreateOrganization(ctx, op, counterfoil.OrganizationDraft{Name: "Provider", Provider: true})
	if err != nil {
		return err
	}
	made, err := o.registry.CreateProviderKey(ctx, op, provider.ID, counterfoil.ProviderKeyDraft{Name: "billing"})
	if err == nil {
		o.compare("with a provider's key")
		_, err = o.registry.RevokeProviderKey(ctx, op, provider.ID, made.ID)
	}
	return err
}

// assignAndUnassign assigns an organization to a technician of a provider, and takes it away.
func assignAndUnassign(o *organization) error {
	ctx, op := context.Background(), registry.Operator()
	provider, err := o.registry.CreateOrganization(ctx, op, counterfoil.OrganizationDraft{Name: "Provider", Provider: true})
	if err != nil {
		return err
	}
	customer, err := o.registry.CreateManaged(ctx, op, provider.ID, counterfoil.ManagedDraft{Name: "Customer"})
	if err != nil {
		return err
	}
	tess, err := o.registry.AddMember(ctx, op, provider.ID, counterfoil.MemberDraft{Email: "tess@example.com", Name: "Tess", Roles: []string{counterfoil.RoleTechnician}})
	if err != nil {
		return err
	}
	_, _, err = o.registry.SetAssignments(ctx, op, provider.ID, tess.ID, counterfoil.Assignments{Organizations: []string{customer.ID}})
	if err == nil {
		o.compare("with a technician")
		_, _, err = o.registry.SetAssignments(ctx, op, provider.ID, tess.ID, counterfoil.Assignments{})
	}
	return err
}

func role(permissions ...string) func(*organization) error {
	return func(o *organization) error {
		_, _, err := o.registry.EditRole(context.Background(), registry.Operator(), o.id, "crew", counterfoil.RoleEdit{Permissions: permissions}, registry.Guarded{})
		return err
	}
}

func createOperator(o *organization) error {
	_, err := o.registry.CreateRole(context.Background(), registry.Operator(), o.id, counterfoil.RoleDraft{Name: "operator", Permissions: both})
	return err
}

func member(e counterfoil.MemberEdit) func(*organization) error {
	return func(o *organization) error {
		_, _, err := o.registry.EditMember(context.Background(), registry.Operator(), o.id, o.ann.ID, e)
		return err
	}
}

func status(s counterfoil.OrgStatus) func(*organization) error {
	return func(o *organization) error {
		_, _, err := o.registry.EditOrganization(context.Background(), registry.Operator(), o.id, counterfoil.OrganizationEdit{Status: &s})
		return err
	}
}
