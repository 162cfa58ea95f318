package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/counterfoil/counterfoil"
)

// Provider is an identity provider that vouches for people of one organization (OpenID Connect).
type Provider struct {
	Name         string // in addresses: lower-case letters, digits and hyphens
	Title        string // on the button; default Name
	Issuer       string // https, or http on the machine itself
	ClientID     string
	ClientSecret string
	Organization string   // its id or slug
	Scopes       []string // beside openid; default email, profile
	// RoleClaim names a claim, a.b for one inside another, whose values Roles turns into roles at each sign-in. Without it a
	// new member has DefaultRoles, and roles are changed in the console.
	RoleClaim    string
	Roles        map[string][]string
	DefaultRoles []string // of who has none by the claim
}

// owners reports whether the provider decides who is owner.
func (p *Provider) owners() bool {
	for _, roles := range p.Roles {
		if slices.Contains(roles, counterfoil.RoleOwner) {
			return true
		}
	}
	return slices.Contains(p.DefaultRoles, counterfoil.RoleOwner)
}

// Check says what is wrong with a provider's configuration.
func (p *Provider) Check() error {
	fault := func(format string, args ...any) error {
		return fmt.Errorf("the identity provider %q: %s", p.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case p.Name == "" || strings.Trim(p.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fault("want a name of lower-case letters, digits and hyphens")
	case !safe(p.Issuer):
		return fault("the issuer %q is not an https address", p.Issuer)
	case p.ClientID == "" || p.Organization == "":
		return fault("want client_id and organization")
	case p.RoleClaim == "" && len(p.Roles) > 0:
		return fault("roles want role_claim")
	}
	return nil
}

// safe reports whether an address may be asked: https, or http on the machine itself.
func safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback())
}

// Button is an identity provider as the sign-in page shows it.
type Button struct{ Name, Title string }

// Providers lists the identity providers, as they are configured.
func (i *Identity) Providers() (list []Button) {
	for _, p := range i.OIDC {
		title := p.Title
		if title == "" {
			title = p.Name
		}
		list = append(list, Button{p.Name, title})
	}
	return list
}

// client is what is known of a provider once it was asked. Whoever comes first asks; what fails is asked again.
type client struct {
	Provider
	http *http.Client

	mu    sync.Mutex
	known *oidc.Provider
}

func newClient(p Provider) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	return &client{Provider: p, http: &http.Client{Transport: limitedTransport{transport}, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("an identity provider does not redirect")
		}}}
}

// limitedTransport keeps to safe addresses and answers of a bounded size.
type limitedTransport struct{ next http.RoundTripper }

const mostAnswer = 1 << 20

func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !safe(r.URL.String()) {
		return nil, fmt.Errorf("the identity provider names an address that is not https: %s", r.URL.Host)
	}
	answer, err := t.next.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, mostAnswer)
	}
	return answer, err
}

// context carries the client for the libraries.
func (c *client) context(ctx context.Context) context.Context { return oidc.ClientContext(ctx, c.http) }

// discover asks the provider where its endpoints are.
func (c *client) discover(ctx context.Context) (*oidc.Provider, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil {
		return c.known, nil
	}
	// The keys are fetched with this context later too, so it outlives the request.
	p, err := oidc.NewProvider(c.context(context.WithoutCancel(ctx)), c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("asking the identity provider %s: %w", c.Name, err)
	}
	c.known = p
	return p, nil
}

func (c *client) config(p *oidc.Provider, base string) *oauth2.Config {
	scopes := c.Scopes
	if scopes == nil {
		scopes = []string{"email", "profile"}
	}
	return &oauth2.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: CallbackURL(base, c.Name), Scopes: append([]string{oidc.ScopeOpenID}, scopes...)}
}

// CallbackURL is where a provider sends people back to; it wants to be registered there.
func CallbackURL(base, name string) string {
	return strings.TrimSuffix(base, "/") + "/sign-in/oidc/" + name + "/callback"
}
