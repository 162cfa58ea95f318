// Package outgoing is how this program calls addresses that customers name: collectors, webhooks. It calls public addresses,
// and those that the operator allows; it follows no redirect, uses no proxy of the environment and reads no more of an answer
// than a bound. It refuses to know what is sent.
package outgoing

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// MaxBody is how much of an answer's body is read.
const MaxBody = 64 << 10

// Timeout ends a call whose context has no nearer end.
const Timeout = time.Minute

// Config says what may be called.
type Config struct {
	Allow    []netip.Prefix // beside public addresses, and by http:// as well
	TLS      *tls.Config    // nil: the system's roots
	Resolver *net.Resolver  // nil: the system's
}

// Client is safe for concurrent use.
type Client struct {
	config        Config
	guard         *ssrf.Guardian
	secure, plain *http.Client
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // at most MaxBody
}

// alsoDenied are addresses outside the special ranges that are some cloud's own: Azure's wire server.
var alsoDenied = netip.MustParsePrefix("168.63.129.16/32")

// New makes a Client.
func New(c Config) *Client {
	var v4, v6 []netip.Prefix
	for _, p := range c.Allow {
		if p.Addr().Is4() {
			v4 = append(v4, p)
		} else {
			v6 = append(v6, p)
		}
	}
	client := &Client{config: c, guard: ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(alsoDenied), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))}
	client.secure, client.plain = client.over(true), client.over(false)
	return client
}

// over makes the client of one scheme: what may be dialled differs.
func (c *Client) over(secure bool) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: c.config.Resolver,
		Control: func(network, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return fmt.Errorf("outgoing: cannot judge the address %q", address)
			}
			return c.check(at.Addr(), secure)
		}}
	return &http.Client{Timeout: Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: dialer.DialContext, TLSClientConfig: c.config.TLS.Clone(), ForceAttemptHTTP2: true,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 45 * time.Second, MaxResponseHeaderBytes: 32 << 10,
			MaxIdleConns: 64, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, DisableCompression: true}}
}

// check says whether an address may be called. The address is the one about to be dialled: a name that leads elsewhere the
// next time is judged again.
func (c *Client) check(address netip.Addr, secure bool) error {
	address = address.Unmap().WithZone("")
	for _, p := range c.config.Allow {
		if p.Contains(address) {
			return nil
		}
	}
	if c.guard.SafeAddr(address) != nil {
		return &Refused{Address: address}
	}
	if !secure {
		return &Refused{Address: address, Plain: true}
	}
	return nil
}

// Do sends a request and reads the answer, whatever its status. Whoever is called tells repetitions: a request is sent again
// where a connection that was kept turns out to be closed. A redirect is an answer like any other. Explain says in words
// what an error means.
func (c *Client) Do(r *http.Request) (Answer, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header["Idempotency-Key"] = []string{} // net/http: may be sent again; the header itself is not sent
	client := c.secure
	if r.URL.Scheme == "http" {
		client = c.plain
	}
	got, err := client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, MaxBody))
	if err != nil {
		return Answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return Answer{Status: got.StatusCode, Header: got.Header, Body: body}, nil
}

// Close ends the connections that are kept for the next call.
func (c *Client) Close() {
	c.secure.CloseIdleConnections()
	c.plain.CloseIdleConnections()
}

// ParseAllow reads the operator's list of addresses and networks.
func ParseAllow(list []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range list {
		text = strings.TrimSpace(text)
		p, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(address, address.BitLen())
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return nil, fmt.Errorf("%q mixes IPv4 and IPv6: write it as IPv4", text)
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
