// Package console is the registry as pages: what a signed-in person does with tokens, rules and people by hand. It
// decides nothing: who somebody is, identity says; what they may do, the registry, judged again in each transaction. It
// refuses scripts in pages, secrets in addresses, and state of its own.
package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/tracing"
	"github.com/counterfoil/counterfoil/internal/web"
)

// Config is what a Console needs; Registry and Identity are required.
type Config struct {
	Registry *registry.Registry
	Identity *identity.Identity
	Proxies  web.Proxies
	Logger   *slog.Logger
	Tracer   *tracing.Tracer     // nil: nothing is traced
	Mask     func(string) string // as in web.Options
	// URL is where browsers and scripts reach the service. Sessions want https, or http on the machine itself.
	URL string

	Name   string // of the product, in the corner of every page; default Counterfoil
	Accent string // colour of the product, #rrggbb; default the console's own
	Logo   []byte // SVG or PNG, shown beside the name; nil: the console's own mark
}

// Console serves the pages.
type Console struct {
	Config
	assets  assets
	exports downloads
}

// New makes a Console.
func New(c Config) (*Console, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Name = cmp.Or(c.Name, "Counterfoil")
	if c.Accent != "" && !accentForm.MatchString(c.Accent) {
		return nil, fmt.Errorf("the product's colour %q is not of the form #rrggbb", c.Accent)
	}
	a, err := loadAssets(c.Logo)
	return &Console{Config: c, assets: a}, err
}

// Handler serves every page and the assets. Each page has all of its headers, and refuses a request that another site
// made.
func (c *Console) Handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /assets/{file}", c.assets.serve)
	for _, p := range pages() {
		if p.who == nobody {
			return nil, fmt.Errorf("the page %s %s does not say who may open it", p.method, p.path)
		}
		mux.Handle(p.method+" "+p.path, c.handler(&p))
	}
	nothing := c.handler(&page{who: anyone, path: "/", show: func(*visit) error { return errNothing }})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept"), "text/html") {
			nothing.ServeHTTP(w, r)
			return
		}
		web.WriteProblem(w, r, errNothing) // a program asks
	})
	return web.Wrap(mux, web.Options{Logger: c.Logger, Proxies: c.Proxies, Tracer: c.Tracer, Mask: c.Mask}), nil
}

var accentForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (c *Console) hasLogo() bool { return c.Logo != nil }

// maxForm is the size of a form in bytes, unless the page takes a larger one.
const maxForm = 256 << 10

func (c *Console) handler(p *page) http.Handler {
	foreign := http.NewCrossOriginProtection()
	foreign.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := errForeign
		if r.Header.Get("Origin") == "null" && r.Header.Get("Sec-Fetch-Site") == "" { // our own no-referrer, and no secure place
			err = errUnsaid
		}
		c.visit(p, w, r).fail(err)
	}))
	return foreign.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, cmp.Or(p.size, maxForm))
		v := c.visit(p, w, r)
		if err := v.run(); err != nil {
			v.fail(err)
		}
	}))
}

var (
	errForeign = counterfoil.Refuse(counterfoil.CodeInvalidRequest, "This form came from another site, so nothing was done. Open the page here and try again.")
	// errUnsaid is for browsers that reach the console over http from elsewhere: they say nothing of where a form comes from, and would
	// keep no session.
	errUnsaid = counterfoil.Refuse(counterfoil.CodeInvalidRequest, "Your browser does not say that this form comes from here, so nothing was done. Open the page over https, or at the server's own machine as http://localhost: over plain http from elsewhere nobody can sign in.")
)

// visit is one request for a page.
type visit struct {
	c    *Console
	page *page
	w    http.ResponseWriter
	r    *http.Request

	at       identity.Place
	session  identity.Session // zero: nobody is signed in
	signedIn bool
	members  []identity.Membership // of the person, active ones
	here     identity.Membership   // in the organization of the path; zero outside one
	in       *registry.Visit       // for a provider, in an organization that it manages and of which the person is no member; else nil
	holds    counterfoil.Permissions
	nonce    string
	remark   remark            // of the form before
	names    map[string]string // of members and tokens that the page names, by id; see nameOf
	back     string            // where the product wants the person to go when they are done
}

func (c *Console) visit(p *page, w http.ResponseWriter, r *http.Request) *visit {
	v := &visit{c: c, page: p, w: w, r: r, nonce: rand.Text()}
	v.at = identity.Place{IP: c.Proxies.ClientIP(r), UserAgent: r.UserAgent()}
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+v.nonce+"'; style-src 'nonce-"+v.nonce+"'; img-src 'self' data:; "+
		"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	return v
}

// run finds out who asks and whether the page is theirs, and shows it.
func (v *visit) run() error {
	v.readSaid()
	if err := v.r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return counterfoil.Refuse(counterfoil.CodeBodyTooLarge, "The form is larger than this page takes.")
		}
		return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "The form could not be read.")
	}
	if err := v.recognise(); err != nil {
		return err
	}
	if v.page.who == anyone {
		return v.page.show(v)
	}
	if !v.signedIn {
		v.redirect("/sign-in?next=" + url.QueryEscape(v.comeBack()))
		return nil
	}
	if err := v.place(); err != nil {
		return err
	}
	if v.page.own && v.in != nil {
		v.redirect(v.path("/members"))
		return nil
	}
	if v.page.needs != "" && !v.holds.Has(v.page.needs) {
		if v.in != nil {
			return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This page needs the permission "+v.page.needs+", which you do not hold in this organization. An owner or admin of "+v.in.Provider.Name+" does, or can change your roles there.")
		}
		return counterfoil.Refuse(counterfoil.CodeMissingPermission, "This page needs the permission "+v.page.needs+", which your roles here do not hold. An owner of the organization can change your roles.")
	}
	if v.page.fresh && !v.session.Fresh(v.now()) {
		return v.confirm()
	}
	return v.page.show(v)
}

// recognise finds the session that the cookie names.
func (v *visit) recognise() (err error) {
	cookie, err := v.r.Cookie(sessionCookie)
	if err != nil || cookie.Value == "" {
		return nil
	}
	ctx := v.r.Context()
	if v.session, v.signedIn, err = v.c.Identity.Session(ctx, cookie.Value, v.at); err != nil || !v.signedIn {
		return err
	}
	v.back = v.session.ReturnURL
	v.members, err = v.c.Identity.Memberships(ctx, v.session)
	return err
}

// place goes into the organization of the path. A page of no organization keeps the menu of the one that the person was in
// before, or of their only one.
func (v *visit) place() error {
	if v.page.who == member {
		slug := v.r.PathValue("org")
		if err := v.enter(slug); err != nil {
			return err
		}
		if v.in == nil && v.cookie(placeCookie) != v.here.Organization.ID {
			v.setCookie(placeCookie, v.here.Organization.ID)
		}
		if v.page.provider && !v.here.Organization.Provider {
			return errNothing
		}
		return nil
	}
	for _, m := range v.members {
		if m.Organization.ID != v.cookie(placeCookie) && len(v.members) > 1 {
			continue
		}
		err := v.enter(m.Organization.ID)
		if refusal := new(counterfoil.Error); errors.As(err, &refusal) && refusal.Code != counterfoil.CodeUnavailable {
			v.here, v.holds = identity.Membership{}, nil // such as one that is suspended: the page is theirs all the same
			return nil
		}
		return err
	}
	return nil
}

// enter goes into the organization of the path: one of the person's, or one that a provider of theirs manages (M8). Any other
// is not there.
func (v *visit) enter(slug string) error {
	for _, m := range v.members {
		if m.Organization.Slug != slug && m.Organization.ID != slug {
			continue
		}
		v.here = m
		holds, err := v.c.Registry.Holds(v.r.Context(), v.caller())
		v.holds = holds
		return err
	}
	for _, m := range v.members {
		if !m.Organization.Provider {
			continue
		}
		v.here = m
		in, err := v.visitOf(slug)
		if err != nil {
			return err
		}
		if in != nil {
			v.in, v.here, v.holds = in, identity.Membership{Organization: in.Organization}, in.Holds
			return nil
		}
		v.here = identity.Membership{}
	}
	return counterfoil.Refuse(counterfoil.CodeNotFound, "There is nothing here, or it is not yours to see.")
}

// caller is the person as the registry knows them, in the organization of the page.
func (v *visit) caller() registry.Caller {
	if v.in != nil {
		return v.in.Caller
	}
	return registry.Caller{
		Session: v.session.ID, Member: v.here.MemberID, Organization: v.here.Organization.ID, Kind: counterfoil.KindPersonal,
		Attempt: counterfoil.Attempt{IP: v.at.IP}, UserAgent: v.at.UserAgent,
	}
}

// now is the time by the store's clock, which all judgements go by.
func (v *visit) now() time.Time { return v.c.Registry.Store.Now().Time() }

// confirm asks for a fresh proof of who somebody is, and comes back to the page. A form that was sent is kept.
func (v *visit) confirm() error {
	if sent := v.keep(); sent != "" {
		return v.showConfirm(filled("next", v.comeBack(), keptField, sent))
	}
	v.redirect("/confirm?next=" + url.QueryEscape(v.comeBack()))
	return nil
}

// inside reports whether the page is an organization's.
func (v *visit) inside() bool { return v.here.Organization.ID != "" }

// org is the id of the organization of the page.
func (v *visit) org() string { return v.here.Organization.ID }

// may reports whether the person holds a permission here: for showing what can be done, not for deciding.
func (v *visit) may(permission string) bool { return v.holds.Has(permission) }

// path is the address of a page of this organization.
func (v *visit) path(format string, args ...any) string {
	return "/o/" + url.PathEscape(v.here.Organization.Slug) + fmt.Sprintf(format, args...)
}

func (v *visit) field(name string) string { return strings.TrimSpace(v.r.Form.Get(name)) }

// fragment reports whether a script of the page asks for a part of it.
func (v *visit) fragment() bool { return v.r.Header.Get("X-Fragment") != "" }

// comeBack is where to go after signing in: this page, or for a form the page that it was on.
func (v *visit) comeBack() string {
	if v.r.Method == http.MethodGet {
		return v.r.URL.RequestURI()
	}
	switch p := v.page.form; {
	case p == "":
		return "/"
	case v.page.who == member:
		return v.path("%s", p)
	default:
		return p
	}
}

// local makes a safe address within the console of what a request named; "/" for anything else.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}

func (v *visit) redirect(to string) { http.Redirect(v.w, v.r, to, http.StatusSeeOther) }

// show answers with a whole page, or with body alone where a script asks for a part.
func (v *visit) show(status int, title string, body templ.Component) error {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.fragment() {
		return v.write(body)
	}
	return v.write(layout(v, title, body))
}

func (v *visit) write(what templ.Component) error {
	ctx := context.WithValue(v.r.Context(), iconsKey{}, v.c.assets.url("icons.svg"))
	if err := what.Render(ctx, v.w); err != nil && v.r.Context().Err() == nil {
		v.c.Logger.Warn("a page broke off", "error", err)
	}
	return nil
}

// iconsKey is the context's key of the address of the icons, which every part of a page needs.
type iconsKey struct{}

func iconsURL(ctx context.Context) string {
	url, _ := ctx.Value(iconsKey{}).(string)
	return url
}

// fail answers an error with its page. Whoever has to prove again who they are is asked to.
func (v *visit) fail(err error) {
	if err == error(registry.ErrStepUp) || err == error(identity.ErrStepUp) { //nolint:errorlint // this very value
		if err = v.confirm(); err == nil {
			return
		}
	}
	p := web.Describe(v.w, v.r, err)
	p.RequestID = web.RequestID(v.w)
	_ = v.show(p.Status, p.Title, errorPage(v, p))
}
