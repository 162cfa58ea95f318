// Package client speaks to a Counterfoil server: one method a route of its API, in the vocabulary of the root package.
// It refuses to decide anything, and to hold anything but the token that it was given, which it never prints. It needs no
// module but this one.
//
// A refusal of the server is an [*Error], which holds the [counterfoil.Error] that the server sent:
//
//	if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeNotFound}) { … }
package client

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Places of an organization's id or slug.
const (
	// Current is the organization of the token that asks.
	Current = "current"
	// System stands for no organization: with it, the methods for tokens work on the instance's system tokens.
	System = ""
)

// DefaultTimeout is how long one try of a request may take, unless an option or the context says otherwise.
const DefaultTimeout = 30 * time.Second

// Client calls one server with one token. It is safe for concurrent use, and is not to be changed once made. Printing it
// shows the server and not the token.
type Client struct {
	base  string // without a slash at the end
	err   error  // what is wrong with base
	agent string
	http  *http.Client
	// authorize adds the credential. The token lives in this closure alone, where no formatter finds it.
	authorize func(*http.Request)
}

// Option configures a Client.
type Option func(*settings)

type settings struct {
	http    *http.Client
	timeout *time.Duration
	agent   string
}

// WithHTTPClient sends requests through h: its Transport, Jar and Timeout are used, its CheckRedirect is not. H is not
// changed.
func WithHTTPClient(h *http.Client) Option { return func(s *settings) { s.http = h } }

// WithTimeout says how long one try of a request may take, its answer's body included; 0: as long as its context lasts.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = &d } }

// WithUserAgent names the program that calls, in the server's events and logs.
func WithUserAgent(name string) Option { return func(s *settings) { s.agent = name } }

// New makes a Client for the server at baseURL, such as https://tokens.example.com. A URL that can't be used is reported
// by every call. A token is not needed for the few routes that are open.
func New(baseURL, token string, options ...Option) *Client {
	s := settings{http: &http.Client{}, agent: "counterfoil-go"}
	for _, o := range options {
		o(&s)
	}
	h := *s.http
	h.CheckRedirect = sameServer
	switch {
	case s.timeout != nil:
		h.Timeout = max(*s.timeout, 0)
	case h.Timeout == 0:
		h.Timeout = DefaultTimeout
	}
	c := &Client{agent: s.agent, http: &h}
	c.base, c.err = parseBase(baseURL)
	return c.As(token)
}

// ErrBaseURL is what every call of a client returns whose base URL is none.
var ErrBaseURL = errors.New("the server's base URL")

// parseBase never repeats what it was given: it could be a token in the wrong place.
func parseBase(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return "", fmt.Errorf("%w has to look like https://tokens.example.com", ErrBaseURL)
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return "", fmt.Errorf("%w has to be without user, query and fragment", ErrBaseURL)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// As returns a Client for the same server with another token; white space around it is dropped. C does not change.
func (c *Client) As(token string) *Client {
	other, token := *c, strings.TrimSpace(token)
	other.authorize = func(r *http.Request) {
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	return &other
}

// BaseURL is where the server is.
func (c *Client) BaseURL() string { return c.base }

// String names the server.
func (c Client) String() string { return "counterfoil client of " + cmp.Or(c.base, "no server") }

// Format prints String, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// LogValue logs String.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// sameServer follows a redirect only where it changes neither server nor method, so that neither the token nor a
// request's effect goes anywhere that the caller did not name.
func sameServer(to *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case to.URL.Scheme != first.URL.Scheme || to.URL.Host != first.URL.Host:
		return fmt.Errorf("the server redirects to %s://%s, where this token is not sent; if that is right, make it the base URL", to.URL.Scheme, to.URL.Host)
	case first.Method != http.MethodGet:
		return fmt.Errorf("the server redirects a %s; correct the base URL", first.Method)
	case len(via) > 3:
		return errors.New("the server redirects in circles; correct the base URL")
	}
	return nil
}
