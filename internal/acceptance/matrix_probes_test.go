package acceptance

// probe is how a route is asked. {org}, {id}, {secret} and {n} stand for the organization, the object, its value and a
// number that does not repeat.
type probe struct {
	line, body string
	query      string
	form       bool
	object     string   // what {id} or {secret} is; see stage.make
	what       string   // tells probes of the same route apart
	ends       bool     // takes away what the other callers stand on
	never      []string // callers who do not succeed although the document names their permission
	special    bool     // success depends on more than one permission
}

const (
	inOrg       = "/v1/organizations/{org}"
	systemToken = "/v1/system/tokens"
)

// probes is every route of the document, and some of them more than once.
var probes = []probe{
	{line: "GET /openapi.json", special: true},
	{line: "GET /v1/tokens/current"},
	{line: "DELETE /v1/tokens/current", ends: true},
	{line: "GET /v1/receipts/{id}", object: "receipt"},

	{line: "POST /v1/verify", body: `{"token":"{secret}"}`, object: "token"},
	{line: "POST /v1/verify/batch", body: `{"questions":[{"token":"{secret}"}]}`, object: "token"},
	{line: "POST /oauth2/introspect", body: "token={secret}", form: true, object: "token"},
	{line: "POST /oauth2/revoke", body: "token={secret}", form: true, object: "token", special: true},
	{line: "GET /v1/authorize", special: true},
	{line: "GET /v1/changes", query: "?after=nonsense", what: "behind an entry that is none, or it would not end", special: true},
	{line: "PUT /v1/verifiers/{verifier}", body: `{"applied":0,"lease_ms":500}`, what: "under an id that is none", special: true},
	{line: "DELETE /v1/verifiers/{verifier}", what: "under an id that is none", special: true},
	{line: "POST /v1/verifiers/{verifier}/facts", body: `{"token":"{secret}"}`, object: "token", what: "under an id that is none", special: true},

	{line: "GET " + systemToken},
	{line: "POST " + systemToken, body: `{"name":"x"}`},
	{line: "GET " + systemToken + "/{id}", object: "system token"},
	{line: "PATCH " + systemToken + "/{id}", body: `{"name":"y"}`, object: "system token"},
	{line: "DELETE " + systemToken + "/{id}", object: "system token"},
	{line: "POST " + systemToken + "/{id}/rotate", object: "system token"},
	{line: "GET " + systemToken + "/{id}/previous", object: "system token"},
	{line: "DELETE " + systemToken + "/{id}/previous", object: "system token"},

	{line: "GET /v1/system/events"},
	{line: "GET /v1/system/events/checkpoint"},
	{line: "GET /v1/catalogue"},
	{line: "PUT /v1/catalogue", body: `{"source":{catalogue}}`},
	{line: "GET /v1/organizations"},
	{line: "POST /v1/organizations", body: `{"name":"x {n}"}`},
	{line: "GET /v1/provider/organizations", query: "?provider={org}"},
	{line: "POST /v1/provider/organizations", query: "?provider={org}", body: `{"name":"x {n}"}`},
	{line: "GET /v1/provider/usage/daily", query: "?provider={org}"},
	{line: "GET /v1/provider/usage/monthly", query: "?provider={org}"},
	{line: "POST /v1/provider/usage/adjustments", query: "?provider={org}", body: `{"organization":"org_x","month":"2026-01","billable":1,"reason":"x"}`, what: "of what was not billed", special: true},
	{line: "GET /v1/provider/keys", query: "?provider={org}"},
	{line: "POST /v1/provider/keys", query: "?provider={org}", body: `{"name":"x","algorithm":"none"}`, what: "of an algorithm that is none", special: true},
	{line: "DELETE /v1/provider/keys/{id}", query: "?provider={org}", object: "provider key"},
	{line: "GET " + inOrg},
	{line: "PATCH " + inOrg, body: `{"name":"x"}`, what: "its name"},
	{line: "PATCH " + inOrg, body: `{"plan":"business"}`, what: "its plan", special: true},
	{line: "DELETE " + inOrg, ends: true, never: []string{"org+organizations:write"}},

	{line: "GET " + inOrg + "/tokens", special: true},
	{line: "POST " + inOrg + "/tokens", body: `{"kind":"organization","name":"x"}`, what: "an organization token"},
	{line: "POST " + inOrg + "/tokens", body: `{"kind":"integration","name":"x","integration":"custom"}`, what: "an integration token"},
	{line: "POST " + inOrg + "/tokens", body: `{"kind":"personal","name":"x"}`, what: "a personal token of one's own", special: true},
	{line: "POST " + inOrg + "/tokens", body: `{"kind":"personal","name":"x","owner":"{id}"}`, object: "member", what: "a member's token", special: true},
	{line: "GET " + inOrg + "/tokens/{id}", object: "token", what: "an organization token", special: true},
	{line: "GET " + inOrg + "/tokens/{id}", object: "member's token", what: "a member's personal token", special: true},
	{line: "PATCH " + inOrg + "/tokens/{id}", body: `{"name":"y"}`, object: "token", what: "an organization token's name"},
	{line: "PATCH " + inOrg + "/tokens/{id}", body: `{"name":"y"}`, object: "member's token", what: "a member's personal token's name", special: true},
	{line: "PATCH " + inOrg + "/tokens/{id}", body: `{"paused":true}`, object: "member's token", what: "pause a member's personal token"},
	{line: "PATCH " + inOrg + "/tokens/{id}", body: `{"paused":true}`, object: "owner's token", what: "pause another owner's personal token", special: true},
	{line: "POST " + inOrg + "/tokens/{id}/rotate", object: "token", what: "an organization token"},
	{line: "POST " + inOrg + "/tokens/{id}/rotate", object: "member's token", what: "a member's personal token", special: true},
	{line: "GET " + inOrg + "/tokens/{id}/previous", object: "token", what: "an organization token", special: true},
	{line: "GET " + inOrg + "/tokens/{id}/previous", object: "member's token", what: "a member's personal token", special: true},
	{line: "DELETE " + inOrg + "/tokens/{id}/previous", object: "token", what: "an organization token"},
	{line: "DELETE " + inOrg + "/tokens/{id}/previous", object: "member's token", what: "a member's personal token"},
	{line: "DELETE " + inOrg + "/tokens/{id}", object: "token", what: "an organization token"},
	{line: "DELETE " + inOrg + "/tokens/{id}", object: "member's token", what: "a member's personal token"},
	{line: "DELETE " + inOrg + "/tokens/{id}", object: "owner's token", what: "another owner's personal token", special: true},

	{line: "POST /activities/query", body: `{}`},
	{line: "GET /v1/integrations/splunk/events", special: true},
	{line: "GET " + inOrg + "/events"},
	{line: "POST " + inOrg + "/events", body: `{"events":[{"type":"devices","action":"device_restarted"}]}`},
	{line: "GET " + inOrg + "/webhooks"},
	{line: "POST " + inOrg + "/webhooks", body: `{"name":"x","url":"https://localhost/{n}"}`, ends: true},
	{line: "GET " + inOrg + "/webhooks/{id}", object: "webhook"},
	{line: "PATCH " + inOrg + "/webhooks/{id}", body: `{"name":"y"}`, object: "webhook"},
	{line: "DELETE " + inOrg + "/webhooks/{id}", object: "webhook"},
	{line: "POST " + inOrg + "/webhooks/{id}/rotate", object: "webhook", ends: true},
	{line: "POST " + inOrg + "/webhooks/{id}/test", object: "webhook"},
	{line: "GET " + inOrg + "/webhooks/{id}/deliveries", object: "webhook"},
	{line: "POST " + inOrg + "/webhooks/{id}/deliveries/{delivery}/replay", object: "webhook", what: "one that is not there", special: true},
	{line: "GET " + inOrg + "/retention"},
	{line: "PUT " + inOrg + "/retention", body: `{"days":0}`, never: []string{"org+organizations:write"}},
	{line: "DELETE " + inOrg + "/retention", never: []string{"org+organizations:write"}},
	{line: "GET " + inOrg + "/events/stream", query: "?after=nonsense", what: "with a cursor that is none, or it would not end", special: true},
	{line: "GET " + inOrg + "/tokens/{id}/events", object: "token", what: "an organization token", special: true},
	{line: "GET " + inOrg + "/tokens/{id}/events", object: "member's token", what: "a member's personal token", special: true},
	{line: "GET " + systemToken + "/{id}/events", object: "system token"},

	{line: "GET " + inOrg + "/exports/splunk", object: "export"},
	{line: "PUT " + inOrg + "/exports/splunk", body: `{"url":"https://collector.invalid:8088","token":"x"}`},
	{line: "DELETE " + inOrg + "/exports/splunk", object: "export"},
	{line: "POST " + inOrg + "/exports/splunk/test", object: "export"},

	{line: "GET " + inOrg + "/policies"},
	{line: "GET " + inOrg + "/policies/{kind}"},
	{line: "PUT " + inOrg + "/policies/{kind}", body: `{"permission_updates_allowed":true}`},
	{line: "POST " + inOrg + "/policies/{kind}/preview", body: `{"allowed":false}`},
	{line: "GET " + inOrg + "/ip-filters"},
	{line: "POST " + inOrg + "/ip-filters", body: `{"name":"x {n}","rules":"allow all"}`},
	{line: "POST " + inOrg + "/ip-filters/test", body: `{"rules":"allow all","ip":"192.0.2.1"}`},
	{line: "GET " + inOrg + "/ip-filters/{id}", object: "filter"},
	{line: "PATCH " + inOrg + "/ip-filters/{id}", body: `{"rules":"deny all"}`, object: "filter"},
	{line: "DELETE " + inOrg + "/ip-filters/{id}", object: "filter"},
	{line: "GET " + inOrg + "/permissions"},
	{line: "GET " + inOrg + "/refusals"},
	{line: "GET " + inOrg + "/refusals/{id}", object: "refusal"},

	{line: "GET " + inOrg + "/roles"},
	{line: "POST " + inOrg + "/roles", body: `{"name":"x{n}","permissions":[]}`, what: "an empty one"},
	{line: "POST " + inOrg + "/roles", body: `{"name":"x{n}","permissions":["counterfoil.policies:write"]}`, what: "one that writes policies", special: true},
	{line: "GET " + inOrg + "/roles/{id}", object: "role"},
	{line: "PATCH " + inOrg + "/roles/{id}", body: `{"permissions":[]}`, object: "role"},
	{line: "DELETE " + inOrg + "/roles/{id}", object: "role"},
	{line: "GET " + inOrg + "/members"},
	{line: "POST " + inOrg + "/members", body: `{"email":"x{n}@matrix.example","name":"x","roles":[]}`, what: "with no role"},
	{line: "POST " + inOrg + "/members", body: `{"email":"x{n}@matrix.example","name":"x","roles":["admin"]}`, what: "an admin", special: true},
	{line: "POST " + inOrg + "/members", body: `{"email":"x{n}@matrix.example","name":"x","roles":["owner"]}`, what: "an owner", special: true},
	{line: "GET " + inOrg + "/members/{id}", object: "member"},
	{line: "PATCH " + inOrg + "/members/{id}", body: `{"roles":[]}`, object: "member", what: "a member"},
	{line: "PATCH " + inOrg + "/members/{id}", body: `{"roles":[]}`, object: "owner", what: "another owner", special: true},
	{line: "DELETE " + inOrg + "/members/{id}", object: "member", what: "a member"},
	{line: "DELETE " + inOrg + "/members/{id}", object: "owner", what: "another owner", special: true},
	{line: "GET " + inOrg + "/members/{id}/assignments", object: "member"},
	{line: "PUT " + inOrg + "/members/{id}/assignments", body: `{"organizations":[]}`, object: "member", never: []string{"org+members:write"}},
	{line: "POST " + inOrg + "/console-sessions", body: `{"member":"{id}"}`, object: "member"},
}
