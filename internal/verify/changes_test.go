package verify_test

import (
	"context"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// touches says which caches each operation that narrows can make stale. A change of a role acts through the organization's
// rules: nobody's rights are remembered beyond them.
var touches = map[string]string{
	"edit-token": "token record", "rotate-token": "token record", "end-previous-value": "token record", "end-previous-system-value": "token record", "revoke-token": "token record", "revoke-current-token": "token record",
	"edit-system-token": "token record", "rotate-system-token": "token record", "revoke-system-token": "token record",
	"apply-catalogue": "catalogue",
	"write-policy":    "organization rules", "edit-ip-filter": "organization rules", "delete-ip-filter": "",
	"edit-role": "organization rules", "delete-role": "",
	"edit-member": "member rights", "remove-member": "token record",
	"edit-organization": "organization rules", "delete-organization": "organization rules",
	"revoke-provider-key": "", "assign-organizations": "", // no cache knows of keys, or of who acts where
}

const (
	revoked   = counterfoil.CodeTokenRevoked
	missing   = counterfoil.CodeMissingPermission
	paused    = counterfoil.CodeTokenPaused
	expired   = counterfoil.CodeTokenExpired
	tooOld    = counterfoil.CodeMaxLifetimeExceeded
	disabled  = counterfoil.CodeKindDisabled
	wrongIP   = counterfoil.CodeIPNotAllowed
	inactive  = counterfoil.CodeOwnerInactive
	suspended = counterfoil.CodeOrganizationSuspended
)

// changes is every way in which an operation narrows what is accepted, and the way back.
var changes = []change{
	{op: registry.OpEditToken, name: "permissions", stale: tokenRecord, token: "organization", want: missing,
		narrow: edit("organization", counterfoil.Edit{Permissions: &[]string{}}), widen: edit("organization", counterfoil.Edit{Permissions: &both})},
	{op: registry.OpEditToken, name: "pause", stale: tokenRecord, token: "ann", want: paused,
		narrow: edit("ann", counterfoil.Edit{Paused: ptr(true)}), widen: edit("ann", counterfoil.Edit{Paused: ptr(false)})},
	{op: registry.OpEditToken, name: "pause an integration", stale: tokenRecord, token: "integration", want: paused,
		narrow: edit("integration", counterfoil.Edit{Paused: ptr(true)}), widen: edit("integration", counterfoil.Edit{Paused: ptr(false)})},
	{op: registry.OpEditToken, name: "expiry", stale: tokenRecord, token: "bob", want: expired,
		narrow: expire("bob"), widen: func(o *organization) error {
			at := o.Store.Now().Time().Add(time.Hour)
			return edit("bob", counterfoil.Edit{ExpiresAt: &at})(o)
		}},
	{op: registry.OpEditToken, name: "own filter", stale: tokenRecord, token: "organization", a: from(outside), want: wrongIP,
		narrow: edit("organization", counterfoil.Edit{IPFilter: ptr("office")}), widen: edit("organization", counterfoil.Edit{IPFilter: ptr("")})},
	{op: registry.OpRotateToken, name: "the old value", stale: tokenRecord, token: "ann", want: revoked, narrow: rotate("ann")},
	{op: registry.OpRotateToken, name: "an organization's", stale: tokenRecord, token: "organization", want: revoked, narrow: rotate("organization")},
	{op: registry.OpEndPrevious, name: "personal", stale: tokenRecord, token: "ann", want: revoked, prepare: grace("ann"), narrow: finish("ann")},
	{op: registry.OpEndPrevious, name: "organization", stale: tokenRecord, token: "organization", want: revoked, prepare: grace("organization"), narrow: finish("organization")},
	{op: registry.OpRevokeToken, name: "personal", stale: tokenRecord, token: "ann", want: revoked, narrow: revoke("ann")},
	{op: registry.OpRevokeToken, name: "organization", stale: tokenRecord, token: "organization", want: revoked, narrow: revoke("organization")},
	{op: registry.OpRevokeToken, name: "integration", stale: tokenRecord, token: "integration", want: revoked, narrow: revoke("integration")},
	{op: registry.OpRevokeSelf, name: "personal", stale: tokenRecord, token: "bob", want: revoked, narrow: revokeSelf("bob")},
	{op: registry.OpRevokeSelf, name: "integration", stale: tokenRecord, token: "integration", want: revoked, narrow: revokeSelf("integration")},

	{op: registry.OpEditSystemToken, name: "permissions", stale: tokenRecord, token: "system", want: missing,
		narrow: edit("system", counterfoil.Edit{Permissions: &[]string{}}), widen: edit("system", counterfoil.Edit{Permissions: &both})},
	{op: registry.OpEditSystemToken, name: "pause", stale: tokenRecord, token: "system", want: paused,
		narrow: edit("system", counterfoil.Edit{Paused: ptr(true)}), widen: edit("system", counterfoil.Edit{Paused: ptr(false)})},
	{op: registry.OpRotateSystemToken, name: "the old value", stale: tokenRecord, token: "system", want: revoked, narrow: rotate("system")},
	{op: registry.OpEndSystemPrevious, name: "", stale: tokenRecord, token: "system", want: revoked, prepare: grace("system"), narrow: finish("system")},
	{op: registry.OpRevokeSystemToken, name: "", stale: tokenRecord, token: "system", want: revoked, narrow: revoke("system")},

	{op: registry.OpApplyCatalogue, name: "a permission is gone", stale: catalogue, token: "organization", want: missing,
		narrow: apply("devices:read", "devices:gone"), widen: apply("", "")},
	{op: registry.OpApplyCatalogue, name: "a permission is gone, for the instance", stale: catalogue, token: "system", want: missing,
		narrow: apply("devices:read", "devices:gone"), widen: apply("", "")},
	{op: registry.OpApplyCatalogue, name: "a kind may not hold it", stale: catalogue, token: "bob", want: missing,
		narrow: apply(`"devices:read", default`, `"devices:read", kinds: [organization], default`), widen: apply("", "")},
	{op: registry.OpApplyCatalogue, name: "a role holds less", stale: catalogue, token: "bob", want: missing,
		narrow: apply(`operator, permissions: ["devices:read", `, `operator, permissions: [`), widen: apply("", "")},
	{op: registry.OpApplyCatalogue, name: "an endpoint is gone", stale: catalogue, token: "organization", a: at("GET", "/api/devices/7"), want: missing,
		narrow: apply("GET /api/devices/{id}", "GET /api/other/{id}"), widen: apply("", "")},

	{op: registry.OpWritePolicy, name: "personal not allowed", stale: orgRules, token: "bob", want: disabled,
		narrow: policy(counterfoil.KindPersonal, disallow), widen: policy(counterfoil.KindPersonal, asNew)},
	{op: registry.OpWritePolicy, name: "organization not allowed", stale: orgRules, token: "organization", want: disabled,
		narrow: policy(counterfoil.KindOrganization, disallow), widen: policy(counterfoil.KindOrganization, asNew)},
	{op: registry.OpWritePolicy, name: "integration not allowed", stale: orgRules, token: "integration", want: disabled,
		narrow: policy(counterfoil.KindIntegration, disallow), widen: policy(counterfoil.KindIntegration, asNew)},
	{op: registry.OpWritePolicy, name: "longest lifetime", stale: orgRules, token: "bob", want: tooOld, prepare: anHourPasses,
		narrow: policy(counterfoil.KindPersonal, func(p *counterfoil.PolicyTerms, _ *organization) {
			p.MaxLifetimeSeconds, p.DefaultLifetimeSeconds = ptr[int64](60), nil
		}), widen: policy(counterfoil.KindPersonal, asNew)},
	{op: registry.OpWritePolicy, name: "enforced filter", stale: orgRules, token: "organization", a: from(outside), want: wrongIP,
		narrow: policy(counterfoil.KindOrganization, enforce), widen: policy(counterfoil.KindOrganization, asNew)},

	{op: registry.OpEditIPFilter, name: "of a token", stale: orgRules, token: "ann", want: wrongIP, narrow: filterRules("deny all"), widen: filterRules("allow 10.0.0.0/8")},
	{op: registry.OpEditIPFilter, name: "enforced", stale: orgRules, token: "organization", want: wrongIP,
		prepare: policy(counterfoil.KindOrganization, enforce), narrow: filterRules("allow 172.16.0.0/12"), widen: filterRules("allow 10.0.0.0/8")},
	{op: registry.OpDeleteIPFilter, name: "that nothing uses", stale: none, token: "ann", want: counterfoil.CodeOK, narrow: makeAndDeleteFilter},

	{op: registry.OpEditRole, name: "", stale: orgRules, token: "ann", want: missing, narrow: role("devices:write"), widen: role("devices:read", "devices:write")},
	{op: registry.OpDeleteRole, name: "that nobody holds", stale: none, token: "ann", want: counterfoil.CodeOK, narrow: makeAndDeleteRole},
	{op: registry.OpCreateRole, name: "that a member holds by name", stale: catalogue, staleBack: orgRules, token: "bob", want: missing,
		narrow: apply("name: operator", "name: other"), widen: createOperator},

	{op: registry.OpEditMember, name: "roles", stale: memberRight, token: "ann", want: missing,
		narrow: member(counterfoil.MemberEdit{Roles: &[]string{}}), widen: member(counterfoil.MemberEdit{Roles: &[]string{"crew"}})},
	{op: registry.OpEditMember, name: "suspended", stale: memberRight, token: "ann", want: inactive,
		narrow: member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberSuspended)}), widen: member(counterfoil.MemberEdit{Status: ptr(counterfoil.MemberActive)})},
	{op: registry.OpRemoveMember, name: "", stale: tokenRecord, token: "ann", want: revoked, narrow: func(o *organization) error {
		_, err := o.registry.RemoveMember(context.Background(), registry.Operator(), o.id, o.ann.ID)
		return err
	}},

	{op: registry.OpRevokeProviderKey, name: "which no token knows", stale: none, token: "ann", want: counterfoil.CodeOK, narrow: makeAndRevokeProviderKey},
	{op: registry.OpAssign, name: "which no token knows", stale: none, token: "ann", want: counterfoil.CodeOK, narrow: assignAndUnassign},
	{op: registry.OpEditOrganization, name: "suspended", stale: orgRules, token: "ann", want: suspended,
		narrow: status(counterfoil.OrgSuspended), widen: status(counterfoil.OrgActive)},
	{op: registry.OpDeleteOrganization, name: "", stale: orgRules, token: "organization", want: revoked, narrow: func(o *organization) error {
		_, err := o.registry.DeleteOrganization(context.Background(), registry.Operator(), o.id)
		return err
	}},
}
