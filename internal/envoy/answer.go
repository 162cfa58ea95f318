package envoy

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"google.golang.org/grpc/codes"

	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// allowed tells the API behind Envoy who is calling. A header of these names that the client sent is replaced, or
// removed where there is nothing to say: Envoy sets no empty ones.
func allowed(v *verify.Result) *CheckResponse {
	identity, forClient := make(http.Header, len(gateway.IdentityHeaders)), make(http.Header, 1)
	gateway.Identify(identity, v)
	gateway.SayExpiry(forClient, v)
	ok := &OkHttpResponse{ResponseHeadersToAdd: options(forClient)}
	for _, name := range gateway.IdentityHeaders {
		if identity.Get(name) == "" {
			identity.Del(name)
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
		}
	}
	ok.Headers = options(identity)
	return &CheckResponse{Status: &Status{Code: int32(codes.OK)}, HttpResponse: &CheckResponse_OkResponse{OkResponse: ok}}
}

// refusal is a problem as the client gets it.
func refusal(p *web.ProblemDetails) *CheckResponse {
	h := http.Header{"X-Request-Id": {p.RequestID}}
	p.SetHeaders(h)
	body, _ := json.Marshal(p) // a refused check has nothing in it that cannot be encoded
	code := codes.PermissionDenied
	switch p.Status {
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	denied := &DeniedHttpResponse{Status: &HttpStatus{Code: StatusCode(p.Status)}, Headers: options(h), Body: string(body)}
	return &CheckResponse{Status: &Status{Code: int32(code), Message: string(p.Code)}, HttpResponse: &CheckResponse_DeniedResponse{DeniedResponse: denied}}
}

// options are headers that replace others of their name, in the order of their names.
func options(h http.Header) (list []*HeaderValueOption) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		list = append(list, &HeaderValueOption{
			Header:       &HeaderValue{Key: name, Value: h.Get(name)},
			AppendAction: HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return list
}
