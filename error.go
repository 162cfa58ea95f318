package counterfoil

import "strings"

// Codes of errors that are not verdicts.
const (
	CodeMalformedJSON        Code = "malformed_json"
	CodeInvalidRequest       Code = "invalid_request"
	CodeMultipleCredentials  Code = "multiple_credentials"
	CodeMissingCredentials   Code = "missing_credentials"
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeNotAcceptable        Code = "not_acceptable"
	CodeCursorExpired        Code = "cursor_expired"
	CodeNameTaken            Code = "name_taken"
	CodeInUse                Code = "in_use"
	CodeLastOwner            Code = "last_owner"
	CodeAlreadyRevoked       Code = "already_revoked"
	CodeAlreadyCreated       Code = "already_created"
	CodeWouldLockOut         Code = "would_lock_out"
	CodeVersionMismatch      Code = "version_mismatch"
	CodeBodyTooLarge         Code = "body_too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeValidationFailed     Code = "validation_failed"
	CodePolicyViolation      Code = "policy_violation"
	CodePermissionNotHeld    Code = "permission_not_held"
	CodeRateLimited          Code = "rate_limited"
	CodeInternal             Code = "internal"
	CodeUnavailable          Code = "unavailable"
)

// Error is a refusal in the service's own terms: what happened and what to do, never a secret, SQL, a path or another
// organization's data. Web faces translate Code to a status in one place.
type Error struct {
	Code     Code
	Detail   string
	Problems []Problem
	Token    *Token // with already_created: the token that the first request made
}

// Problem is one fault of a request, at a JSON Pointer (RFC 6901) into its body, or at a query parameter or header,
// named as "?name" or "Header-Name:".
type Problem struct {
	Pointer string `json:"pointer"`
	Code    Code   `json:"code"`
	Detail  string `json:"detail"`
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Code))
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	for _, p := range e.Problems {
		b.WriteString("; " + p.Pointer + ": " + p.Detail)
	}
	return b.String()
}

// Is reports whether target is an *Error with the same code, so that errors.Is(err, &Error{Code: …}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Refuse makes an Error of one code and one sentence.
func Refuse(code Code, detail string) *Error { return &Error{Code: code, Detail: detail} }

// Invalid makes the 422 of a list of problems. Its code is the first of validation_failed, permission_not_held and
// policy_violation that occurs among them. Of no problems it makes nil.
func Invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	for _, code := range []Code{CodeValidationFailed, CodePermissionNotHeld, CodePolicyViolation} {
		for _, p := range problems {
			if p.Code == code {
				return &Error{Code: code, Detail: p.Detail, Problems: problems}
			}
		}
	}
	return &Error{Code: CodeValidationFailed, Detail: problems[0].Detail, Problems: problems}
}
