package envoy

import (
	"net/netip"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

// FuzzAsked: whatever comes, the question can be asked, and it is never only whether the token is good at all.
func FuzzAsked(f *testing.F) {
	address := &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "::1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 70000}}}}
	for _, a := range []*authv3.AttributeContext{
		nil, {},
		{Source: &authv3.AttributeContext_Peer{Address: address}, ContextExtensions: map[string]string{"permission": " a b ", "consistency": ""}},
		{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{Method: "GET", Path: "/a?b", Headers: map[string]string{"authorization": "a,,b", "x-forwarded-for": ","},
			HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "x-api-key", RawValue: []byte("\xff\x00")}, nil}}}}},
	} {
		b, err := proto.Marshal(&authv3.CheckRequest{Attributes: a})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r CheckRequest
		if proto.Unmarshal(b, &r) != nil {
			return
		}
		q := asked(r.GetAttributes())
		if q.Client == nil || q.Fault == nil && len(q.Permissions) == 0 && q.Method == "" && q.Path == "" {
			t.Errorf("asked %+v", q)
		}
		if from := q.Client.RemoteAddr; from != "" {
			if _, err := netip.ParseAddrPort(from); err != nil {
				t.Errorf("the address is %q", from)
			}
		}
		for name := range q.Client.Header {
			if name != "Authorization" && name != "X-Api-Key" && name != "X-Forwarded-For" {
				t.Errorf("the header %q is taken over", name)
			}
		}
	})
}
