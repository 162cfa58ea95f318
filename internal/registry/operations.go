package registry

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

var (
	checkKinds = []counterfoil.Kind{counterfoil.KindPersonal, counterfoil.KindOrganization, counterfoil.KindSystem}
	ownerKinds = []counterfoil.Kind{counterfoil.KindPersonal, counterfoil.KindSystem, counterfoil.KindProvider}
	// orgKinds are those that act in an organization: its own, the instance's, and its provider's key.
	orgKinds    = []counterfoil.Kind{counterfoil.KindPersonal, counterfoil.KindOrganization, counterfoil.KindSystem, counterfoil.KindProvider}
	systemKinds = []counterfoil.Kind{counterfoil.KindSystem}
	allKinds    = counterfoil.Kinds
)

// The operations, with what each asks of its caller.
var (
	OpCreateToken = &Operation{Name: "create-token", StepUp: true, Permission: counterfoil.PermTokensWrite, Kinds: orgKinds, Own: true}
	OpListTokens  = &Operation{Name: "list-tokens", Permission: counterfoil.PermTokensRead, Kinds: orgKinds, Own: true}
	OpReadToken   = &Operation{Name: "read-token", Permission: counterfoil.PermTokensRead, Kinds: orgKinds, Own: true}
	OpEditToken   = &Operation{Name: "edit-token", Permission: counterfoil.PermTokensWrite, Kinds: orgKinds, Own: true, Narrows: true}
	OpRotateToken = &Operation{Name: "rotate-token", StepUp: true, Permission: counterfoil.PermTokensWrite, Kinds: orgKinds, Own: true, Narrows: true}
	OpEndPrevious = &Operation{Name: "end-previous-value", Permission: counterfoil.PermTokensWrite, Kinds: orgKinds, Own: true, Narrows: true}
	OpRevokeToken = &Operation{Name: "revoke-token", Permission: counterfoil.PermTokensWrite, Kinds: orgKinds, Own: true, Narrows: true}

	OpReadSelf   = &Operation{Name: "read-current-token", Kinds: allKinds}
	OpRevokeSelf = &Operation{Name: "revoke-current-token", Kinds: allKinds, Narrows: true}

	OpCreateSystemToken = &Operation{Name: "create-system-token", Permission: counterfoil.PermTokensWrite, Kinds: systemKinds}
	OpListSystemTokens  = &Operation{Name: "list-system-tokens", Permission: counterfoil.PermTokensRead, Kinds: systemKinds}
	OpReadSystemToken   = &Operation{Name: "read-system-token", Permission: counterfoil.PermTokensRead, Kinds: systemKinds}
	OpEditSystemToken   = &Operation{Name: "edit-system-token", Permission: counterfoil.PermTokensWrite, Kinds: systemKinds, Narrows: true}
	OpRotateSystemToken = &Operation{Name: "rotate-system-token", Permission: counterfoil.PermTokensWrite, Kinds: systemKinds, Narrows: true}
	OpEndSystemPrevious = &Operation{Name: "end-previous-system-value", Permission: counterfoil.PermTokensWrite, Kinds: systemKinds, Narrows: true}
	OpRevokeSystemToken = &Operation{Name: "revoke-system-token", Permission: counterfoil.PermTokensWrite, Kinds: systemKinds, Narrows: true}

	// OpVerify is asked by the faces of the check before they answer; the registry itself checks nothing for others.
	OpVerify      = &Operation{Name: "verify", Permission: counterfoil.PermTokensVerify, Kinds: checkKinds}
	OpReadRefusal = &Operation{Name: "read-refusal", Permission: counterfoil.PermTokensRead, Kinds: orgKinds}
	OpReadReceipt = &Operation{Name: "read-receipt", Kinds: orgKinds}

	OpReadEvents  = &Operation{Name: "read-events", Permission: counterfoil.PermActivityRead, Kinds: orgKinds}
	OpWriteEvents = &Operation{Name: "write-events", Permission: counterfoil.PermActivityWrite, Kinds: orgKinds}

	OpReadWebhooks  = &Operation{Name: "read-webhooks", Permission: counterfoil.PermExportsRead, Kinds: orgKinds}
	OpCreateWebhook = &Operation{Name: "create-webhook", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds, lock: store.ForRules}
	OpEditWebhook   = &Operation{Name: "edit-webhook", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds}
	OpRotateWebhook = &Operation{Name: "rotate-webhook", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds}
	OpDeleteWebhook = &Operation{Name: "delete-webhook", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds}
	OpSendWebhook   = &Operation{Name: "send-webhook", Permission: counterfoil.PermExportsWrite, Kinds: orgKinds} // a test, or a delivery again

	OpReadRetention  = &Operation{Name: "read-retention", Permission: counterfoil.PermOrganizationsRead, Kinds: orgKinds}
	OpWriteRetention = &Operation{Name: "write-retention", StepUp: true, Permission: counterfoil.PermOrganizationsWrite, Kinds: ownerKinds, lock: store.ForRules}
	OpReadExport     = &Operation{Name: "read-export", Permission: counterfoil.PermExportsRead, Kinds: orgKinds}
	OpWriteExport    = &Operation{Name: "write-export", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds, lock: store.ForRules}
	OpDeleteExport   = &Operation{Name: "delete-export", StepUp: true, Permission: counterfoil.PermExportsWrite, Kinds: orgKinds}
	OpTestExport     = &Operation{Name: "test-export", Permission: counterfoil.PermExportsWrite, Kinds: orgKinds}

	OpReadLog = &Operation{Name: "read-log", Permission: counterfoil.PermActivityRead, Kinds: systemKinds}

	// OpQueryActivity and OpSplunkEvents are what integration tokens are for.
	OpQueryActivity = &Operation{Name: "query-activity", Permission: counterfoil.PermActivityRead, Kinds: allKinds}
	OpSplunkEvents  = &Operation{Name: "splunk-events", Permission: counterfoil.PermActivityRead, Kinds: []counterfoil.Kind{counterfoil.KindIntegration}}

	OpReadTokenEvents       = &Operation{Name: "read-token-events", Permission: counterfoil.PermActivityRead, Kinds: orgKinds, Own: true}
	OpReadSystemTokenEvents = &Operation{Name: "read-system-token-events", Permission: counterfoil.PermActivityRead, Kinds: systemKinds}

	// OpFollowChanges is what a program that judges by itself asks for.
	OpFollowChanges = &Operation{Name: "follow-changes", Permission: counterfoil.PermTokensVerify, Kinds: systemKinds}

	OpReadRights      = &Operation{Name: "read-own-rights", Kinds: orgKinds}
	OpListPermissions = &Operation{Name: "list-permissions", Kinds: orgKinds}
	OpReadCatalogue   = &Operation{Name: "read-catalogue", Permission: counterfoil.PermPoliciesRead, Kinds: systemKinds}
	OpApplyCatalogue  = &Operation{Name: "apply-catalogue", Permission: counterfoil.PermPoliciesWrite, Kinds: systemKinds, Narrows: true, lock: store.ForRules}

	OpReadPolicies  = &Operation{Name: "read-policies", Permission: counterfoil.PermPoliciesRead, Kinds: orgKinds}
	OpWritePolicy   = &Operation{Name: "write-policy", StepUp: true, Permission: counterfoil.PermPoliciesWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
	OpPreviewPolicy = &Operation{Name: "preview-policy", Permission: counterfoil.PermPoliciesRead, Kinds: orgKinds}

	OpReadIPFilters  = &Operation{Name: "read-ip-filters", Permission: counterfoil.PermIPFiltersRead, Kinds: orgKinds}
	OpCreateIPFilter = &Operation{Name: "create-ip-filter", StepUp: true, Permission: counterfoil.PermIPFiltersWrite, Kinds: orgKinds, lock: store.ForRules}
	OpEditIPFilter   = &Operation{Name: "edit-ip-filter", StepUp: true, Permission: counterfoil.PermIPFiltersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
	// OpPreviewIPFilter is asked by pages alone.
	OpPreviewIPFilter = &Operation{Name: "preview-ip-filter", Permission: counterfoil.PermIPFiltersWrite, Kinds: orgKinds}
	OpDeleteIPFilter  = &Operation{Name: "delete-ip-filter", StepUp: true, Permission: counterfoil.PermIPFiltersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}

	OpReadRoles  = &Operation{Name: "read-roles", Permission: counterfoil.PermMembersRead, Kinds: orgKinds}
	OpCreateRole = &Operation{Name: "create-role", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, lock: store.ForRules}
	OpEditRole   = &Operation{Name: "edit-role", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
	OpDeleteRole = &Operation{Name: "delete-role", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}

	OpReadMembers  = &Operation{Name: "read-members", Permission: counterfoil.PermMembersRead, Kinds: orgKinds}
	OpAddMember    = &Operation{Name: "add-member", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, lock: store.ForRules}
	OpEditMember   = &Operation{Name: "edit-member", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
	OpRemoveMember = &Operation{Name: "remove-member", Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}

	OpReadAssignments = &Operation{Name: "read-assignments", Permission: counterfoil.PermMembersRead, Kinds: orgKinds}
	OpAssign          = &Operation{Name: "assign-organizations", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}

	// OpLinkMember is for people who are signed in: a token that could make a link could become whom it is for.
	OpLinkMember = &Operation{Name: "link-member", StepUp: true, Permission: counterfoil.PermMembersWrite, Kinds: []counterfoil.Kind{counterfoil.KindPersonal}, lock: store.ForRules}
	// These are asked for by who holds a link, or by whom an identity provider vouches for; no caller may.
	OpAcceptInvitation  = &Operation{Name: "accept-invitation", lock: store.ForRules}
	OpDeclineInvitation = &Operation{Name: "decline-invitation", lock: store.ForRules}
	OpProvisionMember   = &Operation{Name: "provision-member", lock: store.ForRules}

	OpCreateConsoleSession = &Operation{Name: "create-console-session", Permission: counterfoil.PermConsoleSessionsWrite, Kinds: systemKinds}

	// opConvertTrial is the instance's own; no caller may ask for it.
	opConvertTrial = &Operation{Name: "convert-trial", lock: store.ForRules}

	OpListManaged       = &Operation{Name: "list-managed-organizations", Permission: counterfoil.PermOrganizationsRead, Kinds: orgKinds}
	OpCreateManaged     = &Operation{Name: "create-managed-organization", StepUp: true, Permission: counterfoil.PermOrganizationsWrite, Kinds: orgKinds, lock: store.ForRules}
	OpReadUsage         = &Operation{Name: "read-usage", Permission: counterfoil.PermUsageRead, Kinds: orgKinds}
	OpCorrectUsage      = &Operation{Name: "correct-usage", Permission: counterfoil.PermOrganizationsWrite, Kinds: systemKinds, lock: store.ForRules}
	OpListProviderKeys  = &Operation{Name: "list-provider-keys", Permission: counterfoil.PermProviderKeysWrite, Kinds: orgKinds}
	OpCreateProviderKey = &Operation{Name: "create-provider-key", StepUp: true, Permission: counterfoil.PermProviderKeysWrite, Kinds: orgKinds, lock: store.ForRules}
	OpRevokeProviderKey = &Operation{Name: "revoke-provider-key", Permission: counterfoil.PermProviderKeysWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}

	OpListOrganizations  = &Operation{Name: "list-organizations", Permission: counterfoil.PermOrganizationsRead, Kinds: orgKinds}
	OpCreateOrganization = &Operation{Name: "create-organization", Permission: counterfoil.PermOrganizationsWrite, Kinds: orgKinds, lock: store.ForRules}
	OpReadOrganization   = &Operation{Name: "read-organization", Permission: counterfoil.PermOrganizationsRead, Kinds: orgKinds}
	OpEditOrganization   = &Operation{Name: "edit-organization", StepUp: true, Permission: counterfoil.PermOrganizationsWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
	OpDeleteOrganization = &Operation{Name: "delete-organization", StepUp: true, Permission: counterfoil.PermOrganizationsWrite, Kinds: orgKinds, Narrows: true, lock: store.ForRules}
)
