package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"

	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/store"
)

// keyPlace is where the instance key is. A field with the tag setting is a flag, a variable COUNTERFOIL_… of the
// environment and a key of the configuration file, in this order of precedence; see configure.
type keyPlace struct {
	Data            string `setting:"" default:"./data" placeholder:"DIR" help:"The data directory: the instance key, the catalogue, and the database unless a URL is given. Default ./data."`
	InstanceKeyFile string `setting:"" aliases:"key-file" placeholder:"FILE" help:"The instance key. Default DIR/instance.key."`
	Config          string `setting:"" placeholder:"FILE" help:"A YAML file of settings, named as the flags with _ for -."`
}

func (f keyPlace) keyPath() string {
	return cmp.Or(f.InstanceKeyFile, filepath.Join(f.Data, "instance.key"))
}

// storage is what serve, setup and recover must agree on: where everything is kept, and what new records say.
type storage struct {
	keyPlace        `embed:""`
	DatabaseURL     string   `setting:"" placeholder:"URL" help:"PostgreSQL, postgres://…; without it, SQLite in the data directory. It may name a password: prefer the environment or a file."`
	DatabaseURLFile string   `setting:"" placeholder:"FILE" help:"A file that holds the database URL."`
	Catalogue       string   `setting:"" placeholder:"FILE" help:"The catalogue of permissions. Default DIR/catalogue.yaml."`
	Prefix          string   `setting:"" default:"cfl" placeholder:"PREFIX" help:"What this instance's tokens begin with: 2 to 8 lower-case letters or digits. Default cfl."`
	DataCenter      string   `setting:"" default:"local" placeholder:"NAME" help:"The name of this data centre. Default local."`
	Plans           []string `setting:"" placeholder:"PLAN" help:"Plans in rising order. Default teams,business,enterprise."`

	DataCenters dataCenters `setting:"" hidden:"" help:"Other data centres of the same service; in the configuration file only."`
}

// service is how it is served.
type service struct {
	Listen                string        `setting:"" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the API. Default 127.0.0.1:8080."`
	AdminListen           string        `setting:"" default:"127.0.0.1:8081" placeholder:"ADDR" help:"Address of /healthz, /readyz and /metrics; - for none. Default 127.0.0.1:8081."`
	EnvoyListen           string        `setting:"" placeholder:"ADDR" help:"Address of Envoy's external authorization, gRPC. For Envoy alone: it is believed about clients' addresses. Default none."`
	PublicURL             publicURL     `setting:"" placeholder:"URL" help:"Where clients reach the API, if not at the address it listens on."`
	TrustedProxies        []string      `setting:"" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed. Never a network from which clients come: they could choose their address."`
	OutgoingAllow         []string      `setting:"" placeholder:"CIDR" help:"Addresses beside public ones that customers may have called: collectors, webhooks. Only these by http://."`
	Lease                 time.Duration `setting:"" default:"2s" placeholder:"DURATION" help:"On PostgreSQL, how long a node trusts what it remembers after it last heard from the log: 500ms to 10s. A revocation waits for a node that is gone for as long. Default 2s."`
	DrainDelay            time.Duration `setting:"" default:"5s" placeholder:"DURATION" help:"On PostgreSQL, how long a node that gets SIGTERM says on /readyz that it is not ready, and still answers, before it stops. Default 5s."`
	CacheTokens           int           `setting:"" placeholder:"N" help:"How many tokens to keep in memory."`
	ActivityRatePerMinute int           `setting:"" default:"60" placeholder:"N" help:"How often a minute one token may query activity; 0 for no limit. Default 60."`
	KeepEventsDays        int           `setting:"" default:"0" placeholder:"N" help:"How many days of the log to keep of organizations that have not said, 30 at least; 0 for ever. Default 0."`
	LogLevel              string        `setting:"" default:"info" placeholder:"LEVEL" help:"debug, info, warn or error. Default info."`
	LogFormat             string        `setting:"" default:"text" placeholder:"FORMAT" help:"text or json. Default text."`
}

// wrong says of a number or a length of time that it cannot be what it is. Below 0 each would be taken for the default, or for no limit.
func (f *service) wrong() error {
	switch {
	case f.Lease < store.MinLease || f.Lease > store.MaxLease:
		return misused("--lease: %v is not from %v to %v", f.Lease, store.MinLease, store.MaxLease)
	case f.DrainDelay < 0:
		return misused("--drain-delay: %v is less than nothing", f.DrainDelay)
	case f.CacheTokens < 0:
		return misused("--cache-tokens: %d is less than nothing", f.CacheTokens)
	case f.ActivityRatePerMinute < 0:
		return misused("--activity-rate-per-minute: %d is less than nothing; 0 is no limit", f.ActivityRatePerMinute)
	}
	return nil
}

// publicURL is where clients and browsers come, without a path: pages and API have their paths from its root.
type publicURL string

func (p *publicURL) UnmarshalText(text []byte) error {
	u, err := url.Parse(string(text))
	if len(text) > 0 && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery+u.Fragment != "") {
		return errors.New("want https://tokens.example.com or http://HOST:PORT, without a path")
	}
	*p = publicURL(strings.TrimRight(string(text), "/"))
	return nil
}

// signIn is how people sign in to the console.
type signIn struct {
	ProductName      string        `setting:"" placeholder:"NAME" help:"The product's name on pages and in mails. Default Counterfoil."`
	ProductLogo      string        `setting:"" placeholder:"FILE" help:"The product's logo on pages, SVG or PNG."`
	ProductColor     string        `setting:"" placeholder:"COLOR" help:"The product's accent colour on pages, #rrggbb."`
	SessionIdle      time.Duration `setting:"" placeholder:"DURATION" help:"A console session that is not used for so long ends. Default 12h."`
	SessionLifetime  time.Duration `setting:"" default:"168h" placeholder:"DURATION" help:"Every console session ends so long after the sign-in. Default 168h."`
	SMTPServer       string        `setting:"" name:"smtp-server" placeholder:"HOST:PORT" help:"The server that mail is sent through. Without it no mail is sent, and an admin makes the links."`
	SMTPSecurity     string        `setting:"" name:"smtp-security" default:"starttls" placeholder:"HOW" help:"starttls, tls or none. Default starttls."`
	SMTPUser         string        `setting:"" name:"smtp-user" placeholder:"USER" help:"Who signs in to the mail server."`
	SMTPPasswordFile string        `setting:"" name:"smtp-password-file" placeholder:"FILE" help:"A file that holds their password."`
	SMTPFrom         string        `setting:"" name:"smtp-from" placeholder:"ADDRESS" help:"Whom mail comes from."`

	OIDCProviders oidcProviders `setting:"" name:"oidc-providers" hidden:"" help:"Identity providers; in the configuration file only."`
}

// config is what the server needs to know of it.
func (f *signIn) config() (server.SignIn, error) {
	c := server.SignIn{Product: f.ProductName, Color: f.ProductColor, SessionIdle: f.SessionIdle, SessionLifetime: f.SessionLifetime,
		Mail: mail.Config{Server: f.SMTPServer, Security: f.SMTPSecurity, User: f.SMTPUser, PasswordFile: f.SMTPPasswordFile, From: f.SMTPFrom}}
	if f.SessionLifetime <= 0 {
		return c, fmt.Errorf("session_lifetime: in %v nobody can do anything", f.SessionLifetime)
	}
	if f.SessionIdle < 0 || f.SessionIdle > f.SessionLifetime {
		return c, fmt.Errorf("session_idle: %v is not within session_lifetime, %v", f.SessionIdle, f.SessionLifetime)
	}
	if f.ProductLogo != "" {
		logo, err := os.ReadFile(f.ProductLogo)
		if err != nil {
			return c, fmt.Errorf("product_logo: %w", err)
		}
		c.Logo = logo
	}
	for _, p := range f.OIDCProviders {
		q := identity.Provider{Name: p.Name, Title: p.Title, Issuer: p.Issuer, ClientID: p.ClientID, Organization: p.Organization, Scopes: p.Scopes,
			RoleClaim: p.RoleClaim, Roles: p.Roles, DefaultRoles: p.DefaultRoles}
		if p.ClientSecretFile != "" {
			text, err := os.ReadFile(p.ClientSecretFile)
			if err != nil {
				return c, fmt.Errorf("oidc_providers: %s: %w", p.Name, err)
			}
			q.ClientSecret = strings.TrimSpace(string(text))
		}
		c.Providers = append(c.Providers, q)
	}
	return c, nil
}

// oidcProviders comes from the configuration file.
type oidcProviders []struct {
	Name             string              `yaml:"name"`
	Title            string              `yaml:"title"`
	Issuer           string              `yaml:"issuer"`
	ClientID         string              `yaml:"client_id"`
	ClientSecretFile string              `yaml:"client_secret_file"`
	Organization     string              `yaml:"organization"`
	Scopes           []string            `yaml:"scopes"`
	RoleClaim        string              `yaml:"role_claim"`
	Roles            map[string][]string `yaml:"roles"`
	DefaultRoles     []string            `yaml:"default_roles"`
}

func (o *oidcProviders) UnmarshalText([]byte) error {
	return errors.New("the configuration file holds this setting, as oidc_providers")
}

// dataCenters comes from the configuration file, where it is a list of {name, prefix, url}.
type dataCenters []server.DataCenter

func (d *dataCenters) UnmarshalText([]byte) error {
	return errors.New("the configuration file holds this setting, as data_centers")
}

// config is what the server needs to know of it.
func (f *storage) config() server.Config {
	return server.Config{Dir: f.Data, DatabaseURL: f.DatabaseURL, KeyFile: f.InstanceKeyFile, Catalogue: f.Catalogue, Prefix: f.Prefix,
		DataCenter: f.DataCenter, DataCenters: f.DataCenters, Plans: f.Plans, Version: buildVersion()}
}

// setting is one that was found outside the command line.
type setting struct {
	rank  int // the higher wins: flag, environment, file, default
	from  string
	value any // string, []any or *yaml.Node
}

const (
	fromFile = iota + 1
	fromEnvironment
	fromFlag
)

// configure gives a value to every flag that is a setting and was not given: from the environment, else from the
// configuration file.
func (s *session) configure(parsed *kong.Context) error {
	flags := map[string]*kong.Flag{} // by key
	for _, f := range parsed.Flags() {
		if f.Tag.Has("setting") {
			flags[keyOf(f)] = f
		}
	}
	if len(flags) == 0 {
		return nil
	}
	found := map[string]setting{}
	for _, path := range parsed.Path {
		if path.Flag != nil {
			found[keyOf(path.Flag)] = setting{rank: fromFlag, from: "--" + path.Flag.Name}
		}
	}
	environment(flags, found, s.environ)
	s.given = givenWords(parsed, found)
	if err := apply(flags, found, "config"); err != nil {
		return err
	}
	if path, _ := flags["config"].Target.Interface().(string); path != "" {
		if err := readConfig(path, flags, found); err != nil {
			return err
		}
	}
	for key := range flags {
		if err := apply(flags, found, key); err != nil {
			return err
		}
	}
	return databaseURL(flags, found)
}

func environment(flags map[string]*kong.Flag, found map[string]setting, environ map[string]string) {
	for key := range flags {
		if _, given := found[key]; given {
			continue
		}
		if value := environ[variableOf(key)]; value != "" {
			found[key] = setting{fromEnvironment, variableOf(key), value}
		}
	}
}

func keyOf(f *kong.Flag) string { return strings.ReplaceAll(f.Name, "-", "_") }

func variableOf(key string) string { return "COUNTERFOIL_" + strings.ToUpper(key) }

func apply(flags map[string]*kong.Flag, found map[string]setting, key string) error {
	s, flag := found[key], flags[key]
	if s.value == nil {
		return nil // the command line's own, or the default
	}
	var err error
	if node, ok := s.value.(*yaml.Node); ok {
		err = node.Decode(flag.Target.Addr().Interface())
	} else {
		flag.Target.SetZero()
		err = flag.Parse(kong.Scan().PushTyped(s.value, kong.FlagValueToken), flag.Target)
	}
	if err != nil {
		return fmt.Errorf("%s: %s", s.from, strings.TrimPrefix(err.Error(), "--"+flag.Name+": "))
	}
	return nil
}

// databaseURL reads the file that holds the database URL, if that is the nearer of the two settings.
func databaseURL(flags map[string]*kong.Flag, found map[string]setting) error {
	direct, file := found["database_url"], found["database_url_file"]
	switch {
	case file.rank == 0 || direct.rank > file.rank:
		return nil
	case direct.rank == file.rank:
		return fmt.Errorf("%s and %s are both given: which one?", direct.from, file.from)
	}
	text, err := os.ReadFile(flags["database_url_file"].Target.String())
	if err != nil {
		return fmt.Errorf("%s: %w", file.from, err)
	}
	url := strings.TrimSpace(string(text))
	if url == "" { // that would be SQLite, beside what is in the data directory
		return fmt.Errorf("%s: the file is empty: it holds the URL of a PostgreSQL database, or is left out for SQLite", file.from)
	}
	flags["database_url"].Target.SetString(url)
	return nil
}

// readConfig takes the settings of a YAML file that were not found nearer.
func readConfig(path string, flags map[string]*kong.Flag, found map[string]setting) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&document); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return fmt.Errorf("%s: line %d: want settings, one a line: listen: 127.0.0.1:8080", path, root.Line)
	}
	var faults []error
	fault := func(node *yaml.Node, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: line %d: %s", path, node.Line, fmt.Sprintf(format, args...)))
	}
	seen := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		name, node := root.Content[i], root.Content[i+1]
		flag, known := flags[name.Value]
		switch {
		case !known && !isSetting(name.Value) || name.Value == "config":
			fault(name, "there is no setting %q", name.Value)
			continue
		case seen[name.Value]:
			fault(name, "%s is there twice", name.Value)
			continue
		case !known:
			continue // another verb's
		}
		seen[name.Value] = true
		value, problem := fileValue(flag, node)
		if problem != "" {
			fault(node, "%s: %s", name.Value, problem)
		} else if found[name.Value].rank == 0 && value != nil {
			found[name.Value] = setting{fromFile, fmt.Sprintf("%s: line %d: %s", path, node.Line, name.Value), value}
		}
	}
	return errors.Join(faults...)
}

// isSetting reports whether a key is a setting of serve: one file is good for setup as well.
func isSetting(key string) bool {
	for _, f := range newParser(&session{out: io.Discard, err: io.Discard}, new(cli)).Model.Leaves(true) {
		for _, flag := range f.Flags {
			if flag.Tag.Has("setting") && keyOf(flag) == key {
				return true
			}
		}
	}
	return false
}

// fileValue checks that a value of the file has the form of its flag. Nil: it is null, as good as absent.
func fileValue(flag *kong.Flag, node *yaml.Node) (value any, problem string) {
	if node.Kind == yaml.AliasNode || node.Anchor != "" {
		return nil, "anchors and aliases are not known here"
	}
	if node.Tag == "!!null" {
		return nil, ""
	}
	switch kind := flag.Target.Kind(); {
	case flag.Target.Type() == reflect.TypeFor[dataCenters]():
		return records(node, "name", "prefix", "url")
	case flag.Target.Type() == reflect.TypeFor[oidcProviders]():
		return records(node, "name", "title", "issuer", "client_id", "client_secret_file", "organization", "scopes", "role_claim", "roles", "default_roles")
	case kind == reflect.Slice && node.Kind == yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				return nil, "want a list of words"
			}
			list = append(list, item.Value)
		}
		return list, ""
	case kind == reflect.Int && node.Tag != "!!int":
		return nil, "want a whole number"
	case node.Kind != yaml.ScalarNode:
		return nil, "want one value"
	}
	return node.Value, ""
}

// records checks that a node is a list of mappings with no other members than keys.
func records(node *yaml.Node, keys ...string) (any, string) {
	want := "want a list of {" + strings.Join(keys, ": …, ") + ": …}"
	if node.Kind != yaml.SequenceNode {
		return nil, want
	}
	for _, item := range node.Content {
		if item.Kind != yaml.MappingNode {
			return nil, want
		}
		for i := 0; i < len(item.Content); i += 2 {
			if key := item.Content[i].Value; !slices.Contains(keys, key) {
				return nil, fmt.Sprintf("line %d: there is no %q here: %s", item.Content[i].Line, key, want)
			}
		}
	}
	return node, ""
}

// describe is the help of a flag; a setting names its variable.
func describe(v *kong.Value) string {
	if v.Flag == nil || !v.Tag.Has("setting") {
		return v.Help
	}
	return v.Help + " ($" + variableOf(keyOf(v.Flag)) + ")"
}
