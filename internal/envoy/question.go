package envoy

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil/internal/gateway"
)

// asked reads the question: what the client did from the attributes of its request, what the gateway says of it from
// the context extensions. A request without a method and a path is never "is the token good at all".
func asked(a *AttributeContext) *gateway.Question {
	r := a.GetRequest().GetHttp()
	q := &gateway.Question{Client: client(a.GetSource(), r), Method: r.GetMethod(), Path: r.GetPath()}
	words := url.Values{}
	for name, value := range a.GetContextExtensions() {
		if words[name] = strings.Fields(value); len(words[name]) == 0 {
			words[name] = []string{""}
		}
	}
	if q.Permissions, q.Fault = gateway.Permissions(words); q.Fault != nil {
		return q
	}
	var err error
	if q.Strict, err = gateway.Strictly(words); err != nil || len(q.Permissions) == 0 && q.Method == "" && q.Path == "" {
		q.Fault = gateway.ErrUnclear
	}
	return q
}

// client is the request as if it had come here: from Envoy's peer, with the headers that a check reads.
func client(source *AttributeContext_Peer, r *AttributeContext_HttpRequest) *http.Request {
	c := &http.Request{Header: make(http.Header, 3), RemoteAddr: peer(source.GetAddress())}
	for _, name := range [...]string{"authorization", "x-api-key", "x-forwarded-for"} {
		if lines := lines(r, name); lines != nil {
			c.Header[http.CanonicalHeaderKey(name)] = lines
		}
	}
	return c
}

// lines are the values of a header, whose name is in small letters. Envoy joins several of one name by a comma, unless
// it sends them as they came (encode_raw_headers). No credential has a comma in it.
func lines(r *AttributeContext_HttpRequest, name string) (lines []string) {
	for _, h := range r.GetHeaderMap().GetHeaders() {
		if h.GetKey() != name {
			continue
		}
		if raw := h.GetRawValue(); raw != nil {
			lines = append(lines, string(raw))
		} else {
			lines = append(lines, h.GetValue())
		}
	}
	if value, there := r.GetHeaders()[name]; there {
		lines = append(lines, strings.Split(value, ",")...)
	}
	return lines
}

// peer is the address of a connection in the form of http.Request.RemoteAddr; "" where it has none, as a unix socket.
func peer(a *Address) string {
	s := a.GetSocketAddress()
	ip, err := netip.ParseAddr(s.GetAddress())
	port := s.GetPortValue()
	if err != nil || port > 0xffff {
		return ""
	}
	return netip.AddrPortFrom(ip, uint16(port)).String()
}
