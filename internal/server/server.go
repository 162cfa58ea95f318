// Package server wires the parts into one running service: store, rules, check, registry, API, listeners. It decides
// nothing; everything that it needs to know is in Config.
package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/catalogue"
	"github.com/counterfoil/counterfoil/internal/export"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/tracing"
	"github.com/counterfoil/counterfoil/internal/verifiers"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// Config is everything that can be set. Only Dir is required.
type Config struct {
	Dir         string        // data directory: the instance key, the catalogue file, and the database unless DatabaseURL is set
	DatabaseURL string        // PostgreSQL
	Lease       time.Duration // how long a node of PostgreSQL trusts its memory without hearing from the log; default 2 s
	KeyFile     string        // the instance key; default Dir/instance.key
	Catalogue   string        // the catalogue file; default Dir/catalogue.yaml, if it is there

	Listen      string        // address of the API; default 127.0.0.1:8080
	AdminListen string        // address of health and metrics; default 127.0.0.1:8081; "-" for none
	DrainDelay  time.Duration // how long a node that is being stopped says so before it takes no more requests; not on SQLite, where nobody else would take them
	EnvoyListen string        // address of Envoy's external authorization; default none
	URL         string        // where clients reach the API; default http://<listen>

	Prefix         string // of this instance's tokens; default cfl
	DataCenter     string // this instance's own; default local
	DataCenters    []DataCenter
	TrustedProxies []string // addresses and networks whose X-Forwarded-For is believed
	OutgoingAllow  []string // addresses and networks beside public ones that customers may have called
	Plans          []string // in rising order; default teams, business, enterprise
	CacheTokens    int
	SignIn         SignIn
	KeepDays       int // of the log, for organizations that have not said; at least 30; 0: for ever
	ActivityRate   int // how often a minute a token may ask for activity; default 60; negative: as often as it likes

	Version string
	Logger  *slog.Logger
	Tracer  *tracing.Tracer // nil: nothing is traced; it is closed after the server
	Now     func() time.Time
}

// DataCenter is another data centre of the same service (N8).
type DataCenter struct {
	Name   string `yaml:"name"`
	Prefix string `yaml:"prefix"`
	URL    string `yaml:"url"`
}

// SettingError says what is wrong with a setting: whoever starts this has to give another.
type SettingError struct{ Err error }

func (e SettingError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e SettingError) Unwrap() error { return e.Err }

func (c *Config) defaults() error {
	set := func(to *string, value string) {
		if *to == "" {
			*to = value
		}
	}
	if c.Dir == "" {
		return errors.New("name a data directory")
	}
	set(&c.KeyFile, filepath.Join(c.Dir, "instance.key"))
	set(&c.Listen, "127.0.0.1:8080")
	set(&c.AdminListen, "127.0.0.1:8081")
	set(&c.Prefix, "cfl")
	set(&c.DataCenter, "local")
	set(&c.Version, "dev")
	c.URL = strings.TrimSuffix(c.URL, "/")
	if !secret.ValidPrefix(c.Prefix) {
		return fmt.Errorf("the token prefix %q is not 2 to 8 lower-case letters or digits", c.Prefix)
	}
	if c.KeepDays != 0 && c.KeepDays < counterfoil.LeastRetentionDays {
		return fmt.Errorf("the log is kept for at least %d days, or for ever with 0: not for %d", counterfoil.LeastRetentionDays, c.KeepDays)
	}
	if c.Plans == nil {
		c.Plans = []string{"teams", "business", "enterprise"}
	}
	for i, plan := range c.Plans {
		if plan == "" || plan != strings.TrimSpace(plan) || slices.Contains(c.Plans[:i], plan) {
			return fmt.Errorf("plans: %q is empty, has a space at an end, or is there twice", plan)
		}
	}
	if len(c.Plans) == 0 {
		return errors.New("plans: name one at least")
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.ActivityRate == 0 {
		c.ActivityRate = 60
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	names, prefixes := map[string]bool{c.DataCenter: true}, map[string]bool{c.Prefix: true}
	for _, d := range c.DataCenters {
		u, err := url.Parse(d.URL)
		if d.Name == "" || names[d.Name] || !secret.ValidPrefix(d.Prefix) || prefixes[d.Prefix] || err != nil || u.Host == "" {
			return fmt.Errorf("the data centre %q needs a name and a token prefix of its own, and a URL such as https://us.example.com", d.Name)
		}
		names[d.Name], prefixes[d.Prefix] = true, true
	}
	return nil
}

// Core is the service without listeners: what setup needs, and what Server serves.
type Core struct {
	Config    Config
	Store     *store.Store
	Registry  *registry.Registry
	Identity  *identity.Identity
	Verifier  *verify.Verifier
	ledger    *ledger.Ledger
	verifiers *verifiers.Set
	outgoing  *outgoing.Client
	exports   *export.Pusher
	metrics   *metrics
	applied   prometheus.Histogram
	keys      *secret.Keyring
	ready     atomic.Bool   // the instance is set up
	draining  atomic.Bool   // the server is being stopped
	waits     atomic.Bool   // it is served and was not, when that began
	begun     chan struct{} // a ledger was begun
	quit      chan struct{}
	done      sync.WaitGroup
}

// Open opens the database and everything that stands on it. Close it.
func Open(ctx context.Context, c Config) (_ *Core, err error) {
	if err := c.defaults(); err != nil {
		return nil, SettingError{err}
	}
	allow, err := outgoing.ParseAllow(c.OutgoingAllow)
	if err != nil {
		return nil, SettingError{fmt.Errorf("outgoing_allow: %w", err)}
	}
	if err := astray(&c); err != nil {
		return nil, err
	}
	core := &Core{Config: c, begun: make(chan struct{}, 2), quit: make(chan struct{}), applied: newApplied(), outgoing: outgoing.New(outgoing.Config{Allow: allow})}
	propagated := func(took time.Duration) { core.applied.Observe(took.Seconds()) }
	if core.Store, err = store.Open(ctx, store.Config{Dir: c.Dir, DatabaseURL: c.DatabaseURL, Now: c.Now, Node: nodeID(), Lease: c.Lease, Logger: c.Logger, Propagated: propagated, Tracer: c.Tracer}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			core.Store.Close()
		}
	}()
	keys, err := openKeys(ctx, core.Store, c.KeyFile)
	if err != nil {
		return nil, err
	}
	core.keys = keys
	if used, other, err := core.Store.PrefixInUse(ctx, c.Prefix); err != nil {
		return nil, err
	} else if !used && other != "" {
		return nil, SettingError{fmt.Errorf("the prefix %q is not this database's: its tokens begin with %q, and each of them would be unknown. Say --prefix %s", c.Prefix, other, other)}
	}
	if err := core.openLedger(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			core.ledger.Close()
		}
	}()
	cache := &rules.Cache{InForce: &rules.InForce{Changed: core.catalogueChanged}}
	prefixes, others := map[string]string{}, map[string]string{}
	for _, d := range c.DataCenters {
		prefixes[d.Prefix] = d.URL
		others[d.Name] = d.URL
	}
	before, err := registry.GrantedBefore(ctx, core.Store)
	if err != nil {
		return nil, err
	}
	core.verifiers = verifiers.New(core.Store.Lease(), before, core.Store.Alive)
	core.Store.Gate(core.verifiers.Floor)
	core.Verifier = verify.New(verify.Config{Store: core.Store, Keys: keys, Prefix: c.Prefix, Rules: cache, DataCenters: prefixes, CacheTokens: c.CacheTokens, Logger: c.Logger, Tracer: c.Tracer})
	core.exports = export.New(export.Config{Way: &export.Way{Keys: keys, Client: core.outgoing}, Store: core.Store, Logger: c.Logger})
	core.Store.Attach(core.follow)
	core.Registry = registry.New(registry.Config{
		Store: core.Store, Keys: keys, Prefix: c.Prefix, Rules: cache, Applied: core.apply, Verifiers: core.verifiers, Confirmed: func(took time.Duration) { core.metrics.spread.Observe(took.Seconds()) }, Ledger: core.ledger, Exports: core.exports,
		NotedUses: core.Verifier.FlushUses, NotedRefusals: core.Verifier.FlushRefusals,
		Plans: c.Plans, DataCenter: c.DataCenter, DataCenters: others, URL: c.URL, KeepDays: c.KeepDays, WebhookSender: core.webhookSender(keys), Logger: c.Logger,
	})
	if core.Identity, err = core.newIdentity(c.URL); err != nil {
		core.Verifier.Close()
		return nil, err
	}
	core.metrics = newMetrics(core)
	if err := core.Registry.LoadCatalogue(ctx); err != nil {
		core.Verifier.Close()
		return nil, err
	}
	epoch, _ := core.Store.Alive()
	if err := core.firstReplay(ctx); err != nil {
		core.Verifier.Close()
		return nil, err
	}
	core.done.Go(func() { core.keepLedger(epoch) })
	core.done.Go(core.tick)
	core.done.Go(core.tend)
	return core, nil
}

// nodeID names this process in receipts.
func nodeID() string {
	return fmt.Sprintf("node_%012x", rand.Uint64()>>16)
}

// Close writes what was noted and closes the database.
func (c *Core) Close() error {
	close(c.quit)
	c.done.Wait()
	c.Identity.Close()
	c.Verifier.Close()
	c.outgoing.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.Registry.Tick(ctx) // first: the rest may take all the time
	if err := c.replay(ctx, c.Registry.KeepLedger); err != nil {
		c.Config.Logger.Warn("comparing the database with the ledger of revocations; the next start looks at more of it", "error", err)
	}
	return errors.Join(err, c.ledger.Close(), c.Store.Close())
}

// tick does what waits, about once a second.
func (c *Core) tick() {
	second, hour := time.NewTicker(time.Second), time.NewTicker(time.Hour)
	defer second.Stop()
	defer hour.Stop()
	ctx := context.Background()
	collector := newCollector()
	for {
		var err error
		select {
		case <-c.quit:
			return
		case <-second.C:
			collector.pace()
			err = errors.Join(c.Registry.Tick(ctx), c.awaitSetUp(ctx))
		case <-hour.C:
			err = errors.Join(c.Store.PruneAnswers(ctx), c.Store.PruneSessions(ctx))
		}
		if err != nil {
			c.Config.Logger.Warn("housekeeping; it is tried again", "error", err)
		}
	}
}

// awaitSetUp finds out whether another node has set the instance up.
func (c *Core) awaitSetUp(ctx context.Context) error {
	if !c.waits.Load() {
		return nil
	}
	done, err := c.Registry.IsSetUp(ctx)
	if err != nil || !done {
		return err
	}
	if err := c.Registry.LoadCatalogue(ctx); err != nil {
		return err
	}
	c.ready.Store(true)
	c.waits.Store(false)
	return nil
}

// tend keeps up with the log and the clock, about once a second; one node is enough for that.
func (c *Core) tend() {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-second.C:
		}
		if !c.Store.Leads() {
			continue
		}
		if err := c.Store.CountBlocks(context.Background()); err != nil {
			c.Config.Logger.Warn("counting events; it is tried again", "error", err)
		}
		if err := c.Registry.Retain(context.Background()); err != nil {
			c.Config.Logger.Warn("removing old entries of the log; it is tried again", "error", err)
		}
		if err := c.Registry.NoteExpired(context.Background()); err != nil {
			c.Config.Logger.Warn("noting what has expired; it is tried again", "error", err)
		}
		if err := c.Registry.CloseUsage(context.Background()); err != nil {
			c.Config.Logger.Warn("closing the day's usage; it is tried again", "error", err)
		}
		if err := c.Registry.ConvertTrials(context.Background()); err != nil {
			c.Config.Logger.Warn("noting which trials have ended; it is tried again", "error", err)
		}
	}
}

// CataloguePath is the catalogue file: the one named, or Dir/catalogue.yaml.
func (c *Core) CataloguePath() string {
	if c.Config.Catalogue != "" {
		return c.Config.Catalogue
	}
	return filepath.Join(c.Config.Dir, "catalogue.yaml")
}

// ReloadCatalogue applies the catalogue file if it differs from what is in force. A bad one is refused with every line
// and reason, and the old one stays. A default file that is not there is nothing to apply.
func (c *Core) ReloadCatalogue(ctx context.Context) (applied bool, err error) {
	path := c.CataloguePath()
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && c.Config.Catalogue == "" {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the catalogue: %w", err)
	}
	if _, err := catalogue.Parse(text); err != nil { // in the file's terms, not in those of a request; for one line of a log
		return false, fmt.Errorf("the catalogue %s has mistakes: %s", path, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	applied, _, err = c.Registry.ApplyCatalogue(ctx, registry.Operator(), string(text))
	if err != nil {
		return false, fmt.Errorf("applying the catalogue %s: %w", path, err)
	}
	return applied, nil
}
