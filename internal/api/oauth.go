package api

import (
	"errors"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// introspection is the answer of RFC 7662 section 2.2. An inactive token has active alone.
type introspection struct {
	Active         bool   `json:"active"`
	Scope          string `json:"scope,omitempty" doc:"The effective permissions, separated by spaces."`
	ClientID       string `json:"client_id,omitempty" doc:"The token's id."`
	Username       string `json:"username,omitempty" doc:"The owner's e-mail address, for a personal token."`
	TokenType      string `json:"token_type,omitempty"`
	Exp            int64  `json:"exp,omitempty"`
	Sub            string `json:"sub,omitempty" doc:"The owner's id for a personal token, else the token's."`
	Jti            string `json:"jti,omitempty" doc:"The token's id."`
	Kind           string `json:"kind,omitempty"`
	OrganizationID string `json:"organization_id,omitempty"`
}

// form reads a form body (RFC 7662 section 2.1, RFC 7009 section 2.1). Query parameters are never read.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if !isForm(r.Header.Get("Content-Type")) {
		return nil, counterfoil.Refuse(counterfoil.CodeUnsupportedMediaType, "Send a form: Content-Type: application/x-www-form-urlencoded.")
	}
	body, err := web.ReadBody(w, r, bodyLimit)
	if err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "The form cannot be read.")
	}
	if len(values["token"]) != 1 {
		return nil, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "Send the parameter token, once.")
	}
	return values, nil
}

func isForm(contentType string) bool {
	const form = "application/x-www-form-urlencoded"
	if contentType == form {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == form
}

// basicOrBearer finds the caller's token. With Basic, the user must be the token's own id.
func (a *API) basicOrBearer(r *http.Request) (string, error) {
	user, token, err := web.BasicOrBearer(r)
	if err != nil || user == "" {
		return token, err
	}
	v, err := a.Verifier.Find(r.Context(), token)
	if err == nil && (!v.Proven() || v.TokenID() != user) {
		err = counterfoil.Refuse(counterfoil.CodeInvalidToken, "The user of HTTP Basic is the id of the token that is its password.")
	}
	return token, err
}

func (a *API) introspect(w http.ResponseWriter, r *http.Request) {
	v, err := a.introspected(w, r)
	if err != nil {
		a.unchecked(w, r, "introspect", err)
		return
	}
	a.Checked("introspect", v.Code)
	gateway.SayExpiry(w.Header(), &v)
	buf := getBuffer()
	*buf = append(appendIntrospection((*buf)[:0], &v), '\n')
	toMachine(w.Header())
	writeJSON(w, *buf)
	putBuffer(buf)
}

func (a *API) introspected(w http.ResponseWriter, r *http.Request) (v verify.Result, err error) {
	caller, err := a.basicOrBearer(r)
	if err != nil {
		return v, err
	}
	within, err := a.permit(r, caller)
	if err != nil {
		return v, err
	}
	values, err := form(w, r)
	if err != nil {
		return v, err
	}
	q := verify.Request{Token: values["token"][0], Within: within, Attempt: counterfoil.Attempt{Audience: counterfoil.AudienceProduct}}
	if ip := values.Get("ip"); ip != "" {
		parsed, err := netip.ParseAddr(ip)
		if err != nil {
			return v, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "The parameter ip is not an IP address.")
		}
		q.IP = parsed.Unmap().WithZone("")
	}
	if q.Strict, err = gateway.Strictly(values); err != nil {
		return v, err
	}
	return a.Verifier.Verify(r.Context(), &q)
}

func appendIntrospection(b []byte, v *verify.Result) []byte {
	if !v.Active() {
		return append(b, `{"active":false}`...)
	}
	b = append(b, `{"active":true,"scope":"`...)
	for i, p := range v.Permissions() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, p...) // names are of a safe alphabet
	}
	b = append(b, `","client_id":"`...)
	b = v.AppendTokenID(b)
	b = append(b, `","jti":"`...)
	b = v.AppendTokenID(b)
	b = append(b, `","token_type":"Bearer"`...)
	if at := v.ExpiresAt(); at != 0 {
		b = strconv.AppendInt(append(b, `,"exp":`...), at.Time().Unix(), 10)
	}
	b = appendString(append(b, `,"kind":`...), string(v.Kind()))
	if id, _ := v.Organization(); id != "" {
		b = appendString(append(b, `,"organization_id":`...), id)
	}
	if id, email := v.Owner(); id != "" {
		b = appendString(append(b, `,"sub":`...), id)
		b = appendString(append(b, `,"username":`...), email)
	} else {
		b = v.AppendTokenID(append(b, `,"sub":"`...))
		b = append(b, '"')
	}
	return append(b, '}')
}

// revoke is RFC 7009: a token that is not known is answered 200, because the client wants it gone and it is.
func (a *API) revoke(w http.ResponseWriter, r *http.Request) {
	w.Header()["Cache-Control"] = noStore
	receipt, err := a.revokePresented(w, r)
	if err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	showReceipt(w, receipt)
	w.WriteHeader(http.StatusOK)
}

func (a *API) revokePresented(w http.ResponseWriter, r *http.Request) (receipt counterfoil.Receipt, err error) {
	presented, err := a.basicOrBearer(r)
	if err != nil {
		return receipt, err
	}
	var caller registry.Caller
	if _, err := a.authenticate(r, presented, counterfoil.AudienceSelf, registry.OpRevokeSelf, &caller); err != nil {
		return receipt, err
	}
	values, err := form(w, r)
	if err != nil {
		return receipt, err
	}
	v, err := a.Verifier.Find(r.Context(), values["token"][0])
	if err != nil || !v.Proven() {
		return receipt, err
	}
	const reason = "revoked by RFC 7009"
	if v.TokenID() == caller.TokenID {
		revoked, err := a.Registry.RevokeCurrentToken(r.Context(), caller, reason)
		return revoked.Receipt, err
	}
	org, _ := v.Organization()
	switch {
	case caller.Kind != counterfoil.KindSystem && org != caller.Organization:
		return receipt, nil // not a token that this caller may know of
	case caller.Kind == counterfoil.KindIntegration:
		return receipt, counterfoil.Refuse(counterfoil.CodeWrongAudience, "An integration token revokes itself alone.")
	}
	caller.Attempt.Audience = counterfoil.AudienceAPI
	revoked, err := a.Registry.RevokeToken(r.Context(), caller, org, v.TokenID(), reason)
	if errors.Is(err, notFound) {
		err = a.unrevoked(r, caller, org)
	}
	return revoked.Receipt, err
}

var notFound = counterfoil.Refuse(counterfoil.CodeNotFound, "")

// unrevoked answers for a token that the caller presented and may not act on. That of a deleted organization is gone; any
// other is still good, and nobody is told that it is gone.
func (a *API) unrevoked(r *http.Request, caller registry.Caller, org string) error {
	_, err := a.Registry.Resolve(r.Context(), caller, org)
	switch {
	case errors.Is(err, notFound):
		return nil
	case err != nil:
		return err
	}
	return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This credential may revoke itself; another token takes "+counterfoil.PermTokensWrite+".")
}
