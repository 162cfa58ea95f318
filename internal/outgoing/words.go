package outgoing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// Refused is an address that this program does not call.
type Refused struct {
	Address netip.Addr // for the operator: it is not in Error, which customers read
	Plain   bool       // it may be called by https://
}

func (r *Refused) Error() string {
	if r.Plain {
		return "It is called by http://, where everybody on the way can read along. Use https://. The operator of this server can allow http:// for an address with the setting outgoing_allow."
	}
	return "It leads to an address that this server does not call: one of this machine, of a private or a special network. The operator of this server can allow it with the setting outgoing_allow."
}

// fault is a sentence about an address, for whoever named it.
type fault string

func (f fault) Error() string { return string(f) }

// Check reads the address that a customer names. The error says in words what is wrong with it. Where a name leads is judged
// when it is called.
func (c *Client) Check(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > 2000:
		return nil, fault("It is longer than 2000 characters.")
	case err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, fault("It is not an address such as https://collector.example.com:8088.")
	case u.User != nil:
		return nil, fault("It holds a user or a password, which an address must not.")
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return nil, fault("It has a part after #, which no server is sent.")
	case strings.HasSuffix(u.Host, ":"):
		return nil, fault("There is no port after the colon.")
	}
	if _, err := net.LookupPort("tcp", u.Port()); u.Port() != "" && (err != nil || u.Port() == "0") {
		return nil, fault("Its port is not a number from 1 to 65535.")
	}
	if address, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := c.check(address, u.Scheme == "https"); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// SamePlace reports whether two addresses have the same scheme, host and port: whether a secret for the one may be sent to the
// other.
func SamePlace(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// Explain says in words why a call to host failed, for the customer who named it.
func Explain(host string, err error) string {
	var (
		refused  *Refused
		dns      *net.DNSError
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		timeout  interface{ Timeout() bool }
		at       = fmt.Sprintf("%q", host)
		verified *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return "The name " + at + " does not exist. Check its spelling; it must be known where this server runs."
	case errors.As(err, &dns):
		return "The name " + at + " could not be looked up just now."
	case errors.As(err, &unknown):
		return "The certificate of " + at + " is signed by an authority that this server does not know. Use a certificate of a public authority, or ask the operator to add yours to the system's roots."
	case errors.As(err, &name):
		return "The certificate of " + at + " is for another name."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The certificate of " + at + " has expired or is not valid yet."
	case errors.As(err, &invalid), errors.As(err, &verified):
		return "The certificate of " + at + " is not valid."
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return at + " does not speak TLS on this port: it may be http://, or another port."
	case errors.As(err, &alert):
		return at + " refused the TLS connection: " + strings.TrimPrefix(alert.Error(), "tls: ") + "."
	case errors.Is(err, syscall.ECONNREFUSED):
		return at + " refuses connections on this port: nothing listens there."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no way from this server to " + at + "."
	case errors.Is(err, context.Canceled):
		return "The call was given up."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return at + " did not answer in time. A firewall may be between it and this server."
	case errors.Is(err, syscall.ECONNRESET), strings.HasSuffix(err.Error(), "EOF"):
		return at + " closed the connection without an answer. It may want https://, or a proxy is in between."
	}
	return "The call to " + at + " failed."
}
