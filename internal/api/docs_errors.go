package api

import (
	"net/http"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// docsErrorGroup is the errors of one status, for the page that explains them.
type docsErrorGroup struct {
	Status int
	Text   string // of the status
	Errors []docsError
}

type docsError struct {
	Code            counterfoil.Code
	Title           string
	Meaning, Remedy string
}

func docsErrorGroups() []docsErrorGroup {
	var groups []docsErrorGroup
	for _, code := range web.Codes() {
		status := web.Status(code)
		if len(groups) == 0 || groups[len(groups)-1].Status != status {
			groups = append(groups, docsErrorGroup{Status: status, Text: http.StatusText(status)})
		}
		last, words := &groups[len(groups)-1], explanations[code]
		last.Errors = append(last.Errors, docsError{code, web.Title(code), words.meaning, words.remedy})
	}
	return groups
}

// explanation is what a person who meets a code wants to read: what happened, and what to do.
type explanation struct{ meaning, remedy string }

var explanations = map[counterfoil.Code]explanation{
	counterfoil.CodeMalformedJSON: {
		"The body is not one JSON value in UTF-8: it is cut short, names a member of an object twice, or goes on after its end.",
		"Read the detail, which says where reading stopped, and let a JSON library write the body."},
	counterfoil.CodeInvalidRequest: {
		"The request cannot be read as one of this kind: a header or form parameter is missing, is given twice, or has a form that means nothing here.",
		"Compare the request with the API page; the detail names the part that is wrong."},
	counterfoil.CodeMultipleCredentials: {
		"The request presents two different tokens, so nobody can say which of them is asking.",
		"Send one, either as Authorization: Bearer or as X-API-Key. If you sent one only, look for a proxy or client library that adds its own."},

	counterfoil.CodeMissingCredentials: {
		"This address answers only to a token, and the request has none. Tokens in the query string are never read.",
		"Send Authorization: Bearer <token> or X-API-Key: <token>. Some clients drop the header when they follow a redirect to another host."},
	counterfoil.CodeInvalidToken: {
		"The value is not that of any token that is known here. Mistyped, cut, forged and never issued values all get this same answer.",
		"Check that the whole value was copied, and that it was made on this instance. A lost value cannot be shown again: rotate the token or create another one."},
	counterfoil.CodeTokenExpired: {
		"The value is right, but the token's time is over.",
		"Set a later expiry on the token, within what the security policy allows, or create another one."},
	counterfoil.CodeTokenRevoked: {
		"The token, or this value of it, was revoked for good. After a rotation the earlier value ends like this too, once its grace period is over.",
		"Use the value of the last rotation, or create another token. A revoked token cannot be brought back."},
	counterfoil.CodeTokenPaused: {
		"The token is paused: it still exists, but is accepted nowhere until somebody resumes it.",
		"Ask its owner, or an administrator of the organization, to resume it."},

	counterfoil.CodeMissingPermission: {
		"The token is good, but does not hold a permission that the request needs. A personal token holds at most what its owner's roles hold at this moment.",
		"Give the token the permission, if you hold it yourself, or ask an administrator for a role or token that has it. For the calls of this API, the API page names what each needs."},
	counterfoil.CodeIPNotAllowed: {
		"An IP filter of the organization or of the token refuses the address that the request came from, or the address could not be told.",
		"Call from an allowed address, or ask an administrator to change the filter. Behind a proxy, check that the proxy is configured as trusted, so that your own address is the one that counts."},
	counterfoil.CodeKindDisabled: {
		"The organization's security policy does not allow tokens of this kind at present. They work again when the policy allows them.",
		"Use another kind of token, or ask an administrator to allow this one."},
	counterfoil.CodeMaxLifetimeExceeded: {
		"The security policy limits how old a token may get, and this one is older, even if its own expiry is later or absent. Rotation does not make it younger.",
		"Renew the token by setting its expiry anew, or create another one."},
	counterfoil.CodeOrganizationSuspended: {
		"The organization is suspended, so none of its tokens is accepted. Nothing is lost: they work again when it is active.",
		"Ask an owner of the organization, or whoever runs this service."},
	counterfoil.CodeOwnerInactive: {
		"The token belongs to a member who is suspended, was removed, or has not yet accepted the invitation.",
		"Use a token of an active member, or have an administrator activate this one. For jobs that must outlast people, create an organization token."},
	counterfoil.CodeWrongAudience: {
		"The token is good, but was made for another API: an integration token, for one, opens the Activity Logs API alone.",
		"Use it at the address that was shown when it was created, or create a token of the kind that this address takes."},

	counterfoil.CodeNotFound: {
		"There is nothing at this address, or nothing that you may see. The answer is the same for both, so that nobody can probe for what others have.",
		"Check the path and the id, and that the token belongs to the organization that you name; current always names its own."},
	counterfoil.CodeMethodNotAllowed: {
		"The address exists, but does not take this method.",
		"Use one of the methods that the Allow header of the answer lists."},
	counterfoil.CodeNotAcceptable: {
		"The Accept header asks for a format that this address does not have.",
		"Ask for application/json, or leave the header out."},

	counterfoil.CodeNameTaken: {
		"Another one already has the name, slug or e-mail address that you gave, where it must be unique.",
		"Choose another, or edit the one that exists. If this was a retry, send an Idempotency-Key, so that repeating a request is harmless."},
	counterfoil.CodeInUse: {
		"What you want to change or delete is still needed: members hold the role, tokens or a policy use the IP filter, it is built in, or the old value of a token was used so lately.",
		"Release it first; the detail says who holds it. Built-in roles, and those of the catalogue, are not changed here."},
	counterfoil.CodeLastOwner: {
		"The member is the organization's last owner. Removing, suspending or demoting them would leave nobody in charge.",
		"Make another member owner first, and then repeat the request."},
	counterfoil.CodeAlreadyRevoked: {
		"The token is revoked, for good, so it can be neither edited nor rotated.",
		"Create another token. Revoking it once more is allowed, and answers with the first receipt."},
	counterfoil.CodeAlreadyCreated: {
		"An earlier request with this Idempotency-Key created the token, which the answer describes. Its value was shown then and is not stored.",
		"If the value did not reach you, rotate the token to get a new one. To create a second token, send another key."},
	counterfoil.CodeWouldLockOut: {
		"The new rule would refuse the very credential that saves it. Nothing was saved.",
		"Widen the rule so that it includes you, or send \"allow_lock_out\": true to save it all the same."},

	counterfoil.CodeCursorExpired: {
		"Entries of the log that come behind this cursor were removed, because the organization keeps them no longer. Going on silently would pass over them.",
		"Go on with the cursor that the detail names, and note the gap; or begin without a cursor, with the oldest entry that is kept. Read more often than the retention lasts."},
	counterfoil.CodeVersionMismatch: {
		"Somebody changed the resource after you read it: the ETag in your If-Match is not the present one. Nothing was changed.",
		"Read it again, make your edit on what you find, and send the new ETag."},
	counterfoil.CodeBodyTooLarge: {
		"The body has more bytes than this address takes, which the detail names.",
		"Send less at once: split a batch, or shorten a list."},
	counterfoil.CodeUnsupportedMediaType: {
		"The body is not sent as the type that this address reads, or it is compressed.",
		"Send Content-Type: application/json in UTF-8, without Content-Encoding. The two OAuth addresses take application/x-www-form-urlencoded."},
	counterfoil.CodeWrongDataCenter: {
		"The prefix of the token says that it was made in another data center, and it is known only there.",
		"Send the request to the address that the detail gives."},

	counterfoil.CodeValidationFailed: {
		"The JSON can be read, but members are unknown, missing, of the wrong type, or have values that are not allowed. The same goes for query parameters.",
		"Correct what errors lists; each entry points at one place, and the list has all that was found."},
	counterfoil.CodePolicyViolation: {
		"The request is well formed, but the organization's security policy forbids what it asks for, such as this kind of token or so late an expiry.",
		"Stay within the policy, which you can read under policies, or ask an administrator to change it."},
	counterfoil.CodePermissionNotHeld: {
		"You may hand on only what your own credential holds and the kind of token can carry. One of the permissions or roles that you gave is beyond that.",
		"Leave out what errors lists, or let somebody who holds it do this. The list of permissions says which are grantable for you."},

	counterfoil.CodeRateLimited: {
		"More requests came in a short time than are allowed.",
		"Wait as many seconds as Retry-After says, then go on more slowly. To check many tokens, use the batch."},
	counterfoil.CodeInternal: {
		"The server made a mistake. The fault is not in your request.",
		"Give the request id to whoever runs this service: the server's log has the cause under it. Before you repeat a request that creates something, add an Idempotency-Key."},
	counterfoil.CodeUnavailable: {
		"The server cannot reach what it needs in order to answer, such as its database. This is no verdict on a token: nobody knows at the moment.",
		"Try again after as many seconds as Retry-After says. The same Idempotency-Key makes repeating safe."},
}
