package web

import (
	"net/http"

	"github.com/counterfoil/counterfoil"
)

type row struct {
	code   counterfoil.Code
	status int
	title  string
}

// codes is the one place where codes become statuses. Titles are ASCII without quotes, so that they fit an
// error_description (RFC 6750 section 3).
var codes = [...]row{
	{counterfoil.CodeMalformedJSON, http.StatusBadRequest, "The body is not acceptable JSON"},
	{counterfoil.CodeInvalidRequest, http.StatusBadRequest, "The request is not valid"},
	{counterfoil.CodeMultipleCredentials, http.StatusBadRequest, "The request carries two different credentials"},

	{counterfoil.CodeMissingCredentials, http.StatusUnauthorized, "The request carries no token"},
	{counterfoil.CodeInvalidToken, http.StatusUnauthorized, "The token is not valid"},
	{counterfoil.CodeTokenExpired, http.StatusUnauthorized, "The token has expired"},
	{counterfoil.CodeTokenRevoked, http.StatusUnauthorized, "The token was revoked"},
	{counterfoil.CodeTokenPaused, http.StatusUnauthorized, "The token is paused"},

	{counterfoil.CodeMissingPermission, http.StatusForbidden, "The token lacks a permission"},
	{counterfoil.CodeIPNotAllowed, http.StatusForbidden, "The client address is not allowed"},
	{counterfoil.CodeKindDisabled, http.StatusForbidden, "The organization does not allow this kind of token"},
	{counterfoil.CodeMaxLifetimeExceeded, http.StatusForbidden, "The token is older than the organization allows"},
	{counterfoil.CodeOrganizationSuspended, http.StatusForbidden, "The organization is suspended"},
	{counterfoil.CodeOwnerInactive, http.StatusForbidden, "The owner of the token is not active"},
	{counterfoil.CodeWrongAudience, http.StatusForbidden, "The token is for another API"},

	{counterfoil.CodeNotFound, http.StatusNotFound, "Not found"},
	{counterfoil.CodeMethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed here"},
	{counterfoil.CodeNotAcceptable, http.StatusNotAcceptable, "No acceptable representation"},

	{counterfoil.CodeNameTaken, http.StatusConflict, "The name is taken"},
	{counterfoil.CodeInUse, http.StatusConflict, "Still in use"},
	{counterfoil.CodeLastOwner, http.StatusConflict, "The last owner has to stay"},
	{counterfoil.CodeAlreadyRevoked, http.StatusConflict, "The token is already revoked"},
	{counterfoil.CodeAlreadyCreated, http.StatusConflict, "Already created by an earlier request"},
	{counterfoil.CodeWouldLockOut, http.StatusConflict, "The rule would lock you out"},

	{counterfoil.CodeCursorExpired, http.StatusGone, "What comes next was removed"},
	{counterfoil.CodeVersionMismatch, http.StatusPreconditionFailed, "Changed since it was read"},
	{counterfoil.CodeBodyTooLarge, http.StatusRequestEntityTooLarge, "The body is too large"},
	{counterfoil.CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "Unsupported media type"},
	{counterfoil.CodeWrongDataCenter, http.StatusMisdirectedRequest, "The token belongs to another data center"},

	{counterfoil.CodeValidationFailed, http.StatusUnprocessableEntity, "The request has invalid values"},
	{counterfoil.CodePolicyViolation, http.StatusUnprocessableEntity, "The policy does not allow this"},
	{counterfoil.CodePermissionNotHeld, http.StatusUnprocessableEntity, "A permission that you do not hold"},

	{counterfoil.CodeRateLimited, http.StatusTooManyRequests, "Too many requests"},
	{counterfoil.CodeInternal, http.StatusInternalServerError, "The server failed"},
	{counterfoil.CodeUnavailable, http.StatusServiceUnavailable, "Unavailable for the moment"},
}

func lookup(code counterfoil.Code) (row, bool) {
	for i := range codes {
		if codes[i].code == code {
			return codes[i], true
		}
	}
	return row{counterfoil.CodeInternal, http.StatusInternalServerError, "The server failed"}, false
}

// Status is the HTTP status of an answer with this code: 200 for ok, 500 for a code that is not in the contract.
func Status(code counterfoil.Code) int {
	if code == counterfoil.CodeOK {
		return http.StatusOK
	}
	r, _ := lookup(code)
	return r.status
}

// Title says in a few words what a code means; it is the same for every problem of that code.
func Title(code counterfoil.Code) string {
	r, _ := lookup(code)
	return r.title
}

// Codes lists every code that a problem may carry, by status, for the page that explains them.
func Codes() []counterfoil.Code {
	out := make([]counterfoil.Code, len(codes))
	for i := range codes {
		out[i] = codes[i].code
	}
	return out
}
