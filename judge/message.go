package judge

import "github.com/counterfoil/counterfoil"

// Message says in words what a verdict's code means and what to do about it (P9). It depends on the code alone, so that
// it can tell the caller nothing else.
func Message(code counterfoil.Code) string {
	switch code {
	case counterfoil.CodeOK:
		return "The token may be used."
	case counterfoil.CodeInvalidToken:
		return "This token is not known here. Check that the whole value was copied. A lost value cannot be shown again: rotate the token for a new one."
	case counterfoil.CodeWrongDataCenter:
		return "This token belongs to another data centre. Send the request there."
	case counterfoil.CodeTokenRevoked:
		return "This token or this value of it was revoked for good. Use the value of its last rotation, or create another token."
	case counterfoil.CodeTokenPaused:
		return "This token is paused. Ask its owner or an administrator of the organization to resume it."
	case counterfoil.CodeOrganizationSuspended:
		return "The organization is suspended, and its tokens with it. Ask an owner of the organization."
	case counterfoil.CodeOwnerInactive:
		return "The member to whom this token belongs is not active in the organization. Use a token of an active member, or ask an administrator."
	case counterfoil.CodeWrongAudience:
		return "This token is not good for this address. Use it where it was made for, or create a token for this one."
	case counterfoil.CodeKindDisabled:
		return "The organization's security policy does not allow tokens of this kind at present. Ask an administrator of the organization."
	case counterfoil.CodeTokenExpired:
		return "This token has expired. Set a later expiry, or create another token."
	case counterfoil.CodeMaxLifetimeExceeded:
		return "This token is older than the organization's security policy allows. Renew it by setting its expiry, or create another token."
	case counterfoil.CodeIPNotAllowed:
		return "This token may not be used from this address. Use it from an allowed one, or ask an administrator to change the IP filter."
	case counterfoil.CodeMissingPermission:
		return "This token does not have a permission that the request needs. Add it to the token, or use another token."
	}
	return "The request was refused. Ask an administrator of the organization."
}
