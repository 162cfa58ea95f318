package outgoing_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil/internal/outgoing"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func get(t *testing.T, c *outgoing.Client, address string) (outgoing.Answer, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.Do(r)
}

func TestRefusedRanges(t *testing.T) {
	var reached atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer served.Close()
	_, port, _ := net.SplitHostPort(served.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "localhost",
		"10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192",
		"168.63.129.16", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1", "255.255.255.255", "[::127.0.0.1]"} {
		for _, scheme := range []string{"http", "https"} {
			_, err := get(t, outgoing.New(outgoing.Config{}), scheme+"://"+host+":"+port)
			var refused *outgoing.Refused
			if !errors.As(err, &refused) {
				t.Errorf("%s://%s: %v, want a refusal", scheme, host, err)
				continue
			}
			if refused.Plain || !strings.Contains(outgoing.Explain(host, err), "does not call") {
				t.Errorf("%s://%s: explained as %q", scheme, host, outgoing.Explain(host, err))
			}
		}
	}
	if reached.Load() != 0 {
		t.Error("a server on loopback was reached")
	}
}

func TestAllowedRange(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.Write([]byte(strings.Repeat("a", outgoing.MaxBody+5)))
	}))
	defer served.Close()
	_, port, _ := net.SplitHostPort(served.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]"} {
		answer, err := get(t, outgoing.New(outgoing.Config{Allow: loopback}), "http://"+host+":"+port)
		if err != nil || answer.Status != http.StatusTeapot || len(answer.Body) != outgoing.MaxBody {
			t.Errorf("%s: %d, %d bytes, %v; want 418 and the first %d", host, answer.Status, len(answer.Body), err, outgoing.MaxBody)
		}
	}
	narrow := outgoing.New(outgoing.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}})
	if _, err := get(t, narrow, served.URL); !errors.As(err, new(*outgoing.Refused)) {
		t.Errorf("an address beside the allowed one: %v, want a refusal", err)
	}
}

func TestPlainIsForAllowedAddresses(t *testing.T) {
	c := outgoing.New(outgoing.Config{})
	if _, err := c.Check("http://192.0.66.2"); err == nil || !strings.Contains(err.Error(), "https://") {
		t.Errorf("a public address by http: %v, want a refusal that names https", err)
	}
	if _, err := c.Check("https://192.0.66.2"); err != nil {
		t.Error(err)
	}
}

func TestRedirectIsAnAnswer(t *testing.T) {
	var reached atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer target.Close()
	served := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer served.Close()
	answer, err := get(t, outgoing.New(outgoing.Config{Allow: loopback}), served.URL)
	if err != nil || answer.Status != http.StatusTemporaryRedirect || answer.Header.Get("Location") != target.URL || reached.Load() != 0 {
		t.Errorf("%d, %v, target reached %d times; want the redirect itself", answer.Status, err, reached.Load())
	}
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	var proxied atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	c := outgoing.New(outgoing.Config{Allow: loopback, Resolver: names(func(string) netip.Addr { return netip.MustParseAddr("10.0.0.1") })})
	if _, err := get(t, c, "http://collector.example"); !errors.As(err, new(*outgoing.Refused)) || proxied.Load() != 0 {
		t.Errorf("%v, the proxy saw %d requests; want a refusal and none", err, proxied.Load())
	}
}

// names is a resolver that answers each question for an IPv4 address with what at returns, and has no IPv6.
func names(at func(name string) netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			var size [2]byte
			for {
				if _, err := readFull(theirs, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := readFull(theirs, question); err != nil {
					return
				}
				answer := reply(question, at)
				theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}()
		return ours, nil
	}}
}

func readFull(c net.Conn, into []byte) (n int, err error) {
	for n < len(into) && err == nil {
		var more int
		more, err = c.Read(into[n:])
		n += more
	}
	return n, err
}

// reply is the DNS message (RFC 1035, 4.1) that answers a question.
func reply(question []byte, at func(string) netip.Addr) []byte {
	end, name := 12, ""
	for question[end] != 0 {
		name += string(question[end+1:end+1+int(question[end])]) + "."
		end += 1 + int(question[end])
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	m := append([]byte{}, question[:end+5]...)
	binary.BigEndian.PutUint16(m[2:], 0x8180)
	clear(m[6:12]) // no answer, authority or additional record
	if kind == 1 {
		m[7] = 1
		m = append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		m = append(m, at(name).AsSlice()...)
	}
	return m
}

// TestRebinding asks for a name that leads to a public address when it is looked at first, and to this machine after that.
func TestRebinding(t *testing.T) {
	var reached, asked atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer served.Close()
	_, port, _ := net.SplitHostPort(served.Listener.Addr().String())
	resolver := names(func(string) netip.Addr {
		if asked.Add(1) == 1 {
			return netip.MustParseAddr("192.0.66.2")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	if found, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example"); err != nil || found[0].Unmap() != netip.MustParseAddr("192.0.66.2") {
		t.Fatalf("%v, %v; want the public address first", found, err)
	}
	for range 3 {
		_, err := get(t, outgoing.New(outgoing.Config{Resolver: resolver}), "http://rebind.example:"+port)
		var refused *outgoing.Refused
		if !errors.As(err, &refused) || refused.Address != netip.MustParseAddr("127.0.0.1") {
			t.Errorf("%v, want a refusal of 127.0.0.1", err)
		}
	}
	if reached.Load() != 0 || asked.Load() != 4 {
		t.Errorf("reached %d times after %d look-ups, want 0 after 4", reached.Load(), asked.Load())
	}
	allowed := outgoing.New(outgoing.Config{Resolver: resolver, Allow: loopback})
	if _, err := get(t, allowed, "http://rebind.example:"+port); err != nil || reached.Load() != 1 {
		t.Errorf("%v, reached %d times; want once where the operator allows it", err, reached.Load())
	}
}

func TestCheck(t *testing.T) {
	c := outgoing.New(outgoing.Config{})
	for address, want := range map[string]string{
		"https://collector.example.com:8088/path?x=1": "",
		"https://[2606:4700::1]:8088":                 "",
		"https://collector.example.com:0":             "port",
		"https://collector.example.com:70000":         "port",
		"https://collector.example.com:":              "port",
		"https://u:p@collector.example.com":           "password",
		"https://collector.example.com/#a":            "#",
		"https://collector.example.com/#":             "#",
		"ftp://collector.example.com":                 "not an address",
		"collector.example.com":                       "not an address",
		"https:collector.example.com":                 "not an address",
		"https://":                                    "not an address",
		"https://a b":                                 "not an address",
		"":                                            "not an address",
		"https://127.0.0.1":                           "outgoing_allow",
		"https://[::ffff:10.0.0.1]:8088":              "outgoing_allow",
		"https://" + strings.Repeat("a", 2000):        "2000",
	} {
		_, err := c.Check(address)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %q", address, err, want)
		}
	}
}

func TestSamePlace(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://a.example/x", "https://A.example:443/y?z", true},
		{"http://a.example", "http://a.example:80", true},
		{"http://a.example", "https://a.example", false},
		{"https://a.example", "https://a.example:8088", false},
		{"https://a.example", "https://b.example", false},
	} {
		a, _ := url.Parse(test.a)
		b, _ := url.Parse(test.b)
		if outgoing.SamePlace(a, b) != test.want {
			t.Errorf("%s and %s: want %v", a, b, test.want)
		}
	}
}

func TestParseAllow(t *testing.T) {
	got, err := outgoing.ParseAllow([]string{"10.1.2.3/8", " 192.168.1.1", "fd00::/8", "::ffff:10.0.0.0/104"})
	want := []string{"10.0.0.0/8", "192.168.1.1/32", "fd00::/8", "10.0.0.0/8"}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v, %v", got, err)
	}
	for i, p := range got {
		if p.String() != want[i] {
			t.Errorf("%d: %v, want %s", i, p, want[i])
		}
	}
	for _, text := range []string{"", "localhost", "10.0.0.0/33", "fe80::1%eth0", "::ffff:0.0.0.0/8"} {
		if got, err := outgoing.ParseAllow([]string{text}); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestExplain(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	hangsUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer hangsUp.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	for _, test := range []struct{ address, want string }{
		{secure.URL, "authority"},
		{strings.Replace(plain.URL, "http:", "https:", 1), "does not speak TLS"},
		{"http://" + nobody.Addr().String(), "nothing listens"},
		{hangsUp.URL, "closed the connection"},
		{"http://nowhere.invalid", "name"},
	} {
		_, err := get(t, outgoing.New(outgoing.Config{Allow: loopback}), test.address)
		if err == nil || !strings.Contains(outgoing.Explain("h", err), test.want) {
			t.Errorf("%s: %v, want %q", test.address, err, test.want)
		}
	}
	named := outgoing.Config{Allow: loopback, TLS: &tls.Config{RootCAs: roots}, Resolver: names(func(string) netip.Addr { return loopback[0].Addr().Next() })}
	if answer, err := get(t, outgoing.New(named), secure.URL); err != nil || answer.Status != http.StatusNotFound {
		t.Errorf("with the right roots: %d, %v", answer.Status, err)
	}
	if _, err := get(t, outgoing.New(named), "https://other.name:"+port); err == nil || !strings.Contains(outgoing.Explain("h", err), "another name") {
		t.Errorf("another name: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, plain.URL, nil)
	if _, err := outgoing.New(outgoing.Config{Allow: loopback}).Do(r); err == nil || !strings.Contains(outgoing.Explain("h", err), "in time") {
		t.Errorf("too late: %v", err)
	}
}

// Whoever is called may close a connection that was kept, just as the next request goes out.
func TestRequestIsSentAgainWhereAKeptConnectionIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 10)
	go func() {
		for answers := 1; ; answers = 10 { // the first connection answers once
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				in := bufio.NewReader(c)
				for range answers {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					body, _ := io.ReadAll(r.Body)
					got <- string(body) + r.Header.Get("Idempotency-Key")
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
				http.ReadRequest(in)
			}()
		}
	}()
	client := outgoing.New(outgoing.Config{Allow: loopback})
	defer client.Close()
	for _, body := range []string{"one", "two"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String(), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := client.Do(r); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %+v, %v", body, answer, err)
		}
		if said := <-got; said != body {
			t.Errorf("got %q, want %q", said, body)
		}
	}
}
