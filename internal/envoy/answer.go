package envoy

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// allowed tells the API behind Envoy who is calling. A header of these names that the client sent is replaced, or
// removed where there is nothing to say: Envoy sets no empty ones.
func allowed(v *verify.Result) *authv3.CheckResponse {
	identity, forClient := make(http.Header, len(gateway.IdentityHeaders)), make(http.Header, 1)
	gateway.Identify(identity, v)
	gateway.SayExpiry(forClient, v)
	ok := &authv3.OkHttpResponse{ResponseHeadersToAdd: options(forClient)}
	for _, name := range gateway.IdentityHeaders {
		if identity.Get(name) == "" {
			identity.Del(name)
			ok.HeadersToRemove = append(ok.HeadersToRemove, name)
		}
	}
	ok.Headers = options(identity)
	return &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(codes.OK)}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

// refusal is a problem as the client gets it.
func refusal(p *web.ProblemDetails) *authv3.CheckResponse {
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
	denied := &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode(p.Status)}, Headers: options(h), Body: string(body)}
	return &authv3.CheckResponse{Status: &rpcstatus.Status{Code: int32(code), Message: string(p.Code)}, HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied}}
}

// options are headers that replace others of their name, in the order of their names.
func options(h http.Header) (list []*corev3.HeaderValueOption) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		list = append(list, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: name, Value: h.Get(name)},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return list
}
