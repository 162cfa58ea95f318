package server

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
)

// SignIn is how people sign in to the console. The zero SignIn is by password and passkey, and sends no mail.
type SignIn struct {
	Mail            mail.Config   // without a server, no mail is sent
	SessionIdle     time.Duration // default 12 h
	SessionLifetime time.Duration // default 7 days
	Providers       []identity.Provider

	Product string // its name, as people know it; default Counterfoil
	Color   string // its accent colour on pages, #rrggbb; default the console's own
	Logo    []byte // on pages, SVG or PNG; nil: the console's own mark
}

// newIdentity makes the part that knows who somebody is, for a console at an address.
func (c *Core) newIdentity(url string) (*identity.Identity, error) {
	conf := identity.Config{Store: c.Store, Keys: c.Registry.Keys, URL: url, Product: c.Config.SignIn.Product, OIDC: c.Config.SignIn.Providers,
		SessionIdle: c.Config.SignIn.SessionIdle, SessionLifetime: c.Config.SignIn.SessionLifetime, Logger: c.Config.Logger,
		SetUp: c.setUp, Provision: c.provision,
		Join: func(ctx context.Context, at identity.Place, org, member string, within func(*store.Tx) error) error {
			return c.Registry.AcceptInvitation(ctx, registry.Origin(at), org, member, within)
		},
		Decline: func(ctx context.Context, at identity.Place, org, member string, within func(*store.Tx) error) error {
			return c.Registry.DeclineInvitation(ctx, registry.Origin(at), org, member, within)
		}}
	seen := map[string]bool{}
	for _, p := range conf.OIDC {
		if err := p.Check(); err != nil {
			return nil, SettingError{err}
		}
		if seen[p.Name] {
			return nil, SettingError{fmt.Errorf("two identity providers are called %q", p.Name)}
		}
		seen[p.Name] = true
	}
	if c.Config.SignIn.Mail.Server != "" {
		var err error
		if conf.Mail, err = mail.New(c.Config.SignIn.Mail); err != nil {
			return nil, SettingError{err}
		}
	}
	return identity.New(conf), nil
}

// setUp prepares the instance in the browser, with the catalogue file that lies ready.
func (c *Core) setUp(ctx context.Context, at identity.Place, f identity.Founding, within func(*store.Tx, counterfoil.Member) error) error {
	text, err := os.ReadFile(c.CataloguePath())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("reading the catalogue: %w", err)
	}
	_, err = c.Registry.SetUp(ctx, registry.SetupRequest{Organization: f.Organization, Name: f.Name, Email: f.Email, Catalogue: string(text),
		Within: within, NoTokens: true, From: registry.Origin(at)})
	if err == nil {
		c.ready.Store(true)
	}
	if errors.Is(err, registry.ErrSetUp) {
		return counterfoil.Refuse(counterfoil.CodeInUse, "This instance is set up already. Sign in.")
	}
	return err
}

// provision finds the organization that a provider's configuration names.
func (c *Core) provision(ctx context.Context, at identity.Place, org string, p identity.Provision, within func(*store.Tx, counterfoil.Member) error) error {
	id, err := c.Registry.Resolve(ctx, registry.Operator(), org)
	if err != nil {
		return err
	}
	return c.Registry.ProvisionMember(ctx, registry.Origin(at), id, registry.Provision(p), within)
}

// ConsoleURL is where browsers reach the console: the public URL, or where it listens, by name where that is this machine or
// any of its addresses. Passkeys want a name.
func ConsoleURL(public, listening string) string {
	if public != "" {
		return strings.TrimSuffix(public, "/")
	}
	u, err := url.Parse(listening)
	if err == nil && slices.Contains([]string{"127.0.0.1", "::1", "", "0.0.0.0", "::"}, u.Hostname()) {
		u.Host = "localhost:" + u.Port()
		return u.String()
	}
	return listening
}
