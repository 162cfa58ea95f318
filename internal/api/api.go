// Package api is the registry and the check as JSON over HTTP: one table of routes (routes.go), each with the operation
// that says who may call it. The served OpenAPI document is generated from that table. The package refuses to decide
// anything: it reads requests, asks, and writes answers.
package api

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/providerjwt"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/tracing"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Config is what the API needs. Registry and Verifier are required.
type Config struct {
	Registry *registry.Registry
	Verifier *verify.Verifier
	Proxies  web.Proxies
	Logger   *slog.Logger
	Version  string
	URL      string          // where clients reach it, for the type of problems; empty: that is relative
	Tracer   *tracing.Tracer // nil: nothing is traced
	// Checked is told the outcome of every check, for metrics. It may be nil.
	Checked func(surface string, code counterfoil.Code)
	// ActivityRate is how often a minute an integration's token may ask for activity; 0: as often as it likes.
	ActivityRate int
}

// API serves the routes.
type API struct {
	Config
	routes  []route
	schemas huma.Registry
	openAPI func() ([]byte, error) // made when it is first asked for

	gate     gateway.Gate
	waiting  places        // long polls and streams of activity
	fed      places        // streams of verifiers, whom no customer's may keep out
	feed     feed          // what they are sent
	draining chan struct{} // closed by Drain
	rate     web.Rate      // of those who read activity
	drained  sync.Once
}

// New builds the API. A route that does not say who may call it is an error: such a server does not start.
func New(c Config) (*API, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Checked == nil {
		c.Checked = func(string, counterfoil.Code) {}
	}
	checked := func(code counterfoil.Code) { c.Checked("authorize", code) }
	a := &API{Config: c, gate: gateway.Gate{Verifier: c.Verifier, Proxies: c.Proxies, Checked: checked}, routes: routes(), draining: make(chan struct{}), rate: web.Rate{PerMinute: c.ActivityRate}}
	a.feed.read = a.readFeed
	for _, r := range a.routes {
		if r.op == nil && !r.open {
			return nil, fmt.Errorf("route %s %s does not say who may call it", r.method, r.path)
		}
		if r.op != nil && len(r.op.Kinds) == 0 {
			return nil, fmt.Errorf("route %s %s is open to no kind of credential", r.method, r.path)
		}
	}
	return a, a.describe()
}

// Drain ends the requests that wait for events. The server calls it when it stops.
func (a *API) Drain() { a.drained.Do(func() { close(a.draining) }) }

// route finds the row of a plain handler.
func (a *API) route(method, path string) *route {
	for i := range a.routes {
		if a.routes[i].method == method && a.routes[i].path == path {
			return &a.routes[i]
		}
	}
	panic("api: no route " + method + " " + path)
}

// Roots are the first parts of the paths that the API answers: v1, docs and so on.
func (a *API) Roots() []string {
	var roots []string
	for _, r := range a.routes {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
		if !slices.Contains(roots, first) {
			roots = append(roots, first)
		}
	}
	return roots
}

// Handler returns the routes behind what every answer shares.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for i := range a.routes {
		r := &a.routes[i]
		pattern := r.method + " " + r.path
		if r.method == anyMethod {
			pattern = r.path
		}
		if r.plain != nil {
			handle := r.plain(a)
			mux.HandleFunc(pattern, handle)
			continue
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) { a.serve(w, req, r) })
	}
	return web.Wrap(web.Mux404(mux), web.Options{Logger: a.Logger, Proxies: a.Proxies, Tracer: a.Tracer, Mask: a.Verifier.Masked, URL: a.URL})
}

// call is one request under way.
type call struct {
	*API
	w      http.ResponseWriter
	r      *http.Request
	route  *route
	caller registry.Caller
	body   []byte
	query  map[string]string
	faults []counterfoil.Problem // of form; the operation adds its own

	integration counterfoil.Integration // of an integration token
}

// serve answers one management request: who calls, what is asked, do it, answer.
func (a *API) serve(w http.ResponseWriter, r *http.Request, rt *route) {
	c := &call{API: a, w: w, r: r, route: rt}
	w.Header().Set("Cache-Control", "no-store")
	answer, err := c.run()
	if err != nil {
		c.problem(err)
		return
	}
	if answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		c.problem(fmt.Errorf("encoding the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(rt.status)
	_, _ = w.Write(append(body, '\n')) // a client that has gone is told nothing
}

func (c *call) run() (any, error) {
	if !acceptsJSON(c.r.Header.Values("Accept")) {
		return nil, counterfoil.Refuse(counterfoil.CodeNotAcceptable, "Answers are application/json: leave out Accept, or let it allow that.")
	}
	if err := c.authenticate(); err != nil {
		return nil, err
	}
	if !plainText(c.r.URL.Path) {
		return nil, counterfoil.Refuse(counterfoil.CodeNotFound, "")
	}
	c.readQuery()
	if c.route.body != nil {
		if err := c.readBody(); err != nil {
			return nil, err
		}
	}
	if c.route.once {
		c.readOnce()
	}
	return c.route.handle(c)
}

// authenticate finds the caller of a management route.
func (c *call) authenticate() error {
	token, err := web.Credential(c.r)
	if err != nil {
		return err
	}
	audience := counterfoil.AudienceAPI
	if c.route.audience != "" {
		audience = c.route.audience
	} else if c.route.op == registry.OpReadSelf || c.route.op == registry.OpRevokeSelf {
		audience = counterfoil.AudienceSelf
	}
	if audience == counterfoil.AudienceAPI && providerjwt.Is(token) {
		c.caller, err = c.Registry.AcceptJWT(c.r.Context(), token, c.Proxies.ClientIP(c.r), c.Verifier.Masked(c.r.UserAgent()))
		return err
	}
	v, err := c.API.authenticate(c.r, token, audience, c.route.op, &c.caller)
	gateway.SayExpiry(c.w.Header(), &v)
	c.integration = v.Integration()
	if err == nil && c.route.audience != "" {
		err = c.throttle()
	}
	return err
}

// authenticate judges a presented token as the credential of a caller. The operation's permission is part of the
// judgement, so that a refusal has a reference.
func (a *API) authenticate(r *http.Request, token string, audience counterfoil.Audience, op *registry.Operation, caller *registry.Caller) (verify.Result, error) {
	q := verify.Request{Token: token, Attempt: counterfoil.Attempt{Audience: audience, IP: a.Proxies.ClientIP(r)}, About: r.PathValue("org")}
	if op.Permission != "" && !op.Own {
		q.Permissions = []string{op.Permission}
	}
	v, err := a.Verifier.Verify(r.Context(), &q)
	if err != nil {
		return v, err
	}
	if !v.Active() {
		return v, gateway.Refusal(&v)
	}
	if !slices.Contains(op.Kinds, v.Kind()) && v.Kind() == counterfoil.KindIntegration {
		return v, counterfoil.Refuse(counterfoil.CodeWrongAudience, "An integration token opens the Activity Logs API alone.")
	}
	org, _ := v.Organization()
	*caller = registry.Caller{TokenID: v.TokenID(), Kind: v.Kind(), Organization: org, Attempt: q.Attempt, UserAgent: a.Verifier.Masked(r.UserAgent())}
	caller.KeyID, caller.Digest = v.Presented()
	caller.Attempt.Permissions = nil
	return v, nil
}

// org resolves the organization that the path names. A provider's key or person acts there from now on.
func (c *call) org() (string, error) {
	org, err := c.Registry.Resolve(c.r.Context(), c.caller, c.r.PathValue("org"))
	if err == nil {
		c.caller = c.caller.In(org)
	}
	return org, err
}

func (c *call) problem(err error) { web.WriteProblem(c.w, c.r, err) }

// receipt shows a receipt in the answer's header.
func (c *call) receipt(r counterfoil.Receipt) { showReceipt(c.w, r) }

func showReceipt(w http.ResponseWriter, r counterfoil.Receipt) {
	if r.ID == "" {
		return
	}
	state := "pending"
	if r.Complete {
		state = "complete"
	}
	w.Header().Set("Counterfoil-Receipt", fmt.Sprintf("%s; %s; took=%.0fms", r.ID, state, r.TookMS))
}

func (c *call) etag(version int64) { c.w.Header().Set("ETag", web.ETag(version)) }

// guarded reads what an edit depends on.
func (c *call) guarded(allowLockOut bool) (registry.Guarded, error) {
	g := registry.Guarded{AllowLockOut: allowLockOut}
	version, present, err := web.IfMatch(c.r.Header.Get("If-Match"))
	if err != nil {
		return g, err
	}
	if present {
		g.Version = &version
	}
	return g, nil
}
