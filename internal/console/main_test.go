package console_test

import (
	"context"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// desk is a whole server whose clock the test sets, for people who sit before its pages.
type desk struct {
	*counterfoiltest.Server
	t     *testing.T
	later *atomic.Int64 // microseconds that the clock is ahead
}

func newDesk(t *testing.T, with ...counterfoiltest.Option) *desk {
	t.Parallel()
	d := &desk{t: t, later: new(atomic.Int64)}
	clock := func() time.Time { return time.Now().Add(time.Duration(d.later.Load()) * time.Microsecond) }
	d.Server = counterfoiltest.Start(t, append([]counterfoiltest.Option{counterfoiltest.WithClock(clock)}, with...)...)
	return d
}

// must ends the test where something that only prepares it failed.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// sitter is a browser with its cookies, in which somebody has signed in.
type sitter struct {
	d       *desk
	at      string // the path of the organization
	cookies map[string]string
}

// shown is an answer as a person sees it.
type shown struct {
	t        *testing.T
	status   int
	location string
	header   http.Header
	source   string
	text     string // without tags, blanks folded
}

// sits signs a member of the server's organization in, as its product would.
func (d *desk) sits(member string) *sitter {
	return d.sitsIn(d.Organization.ID, d.Organization.Slug, member)
}

func (d *desk) sitsIn(org, slug, member string) *sitter {
	d.t.Helper()
	session := must[counterfoil.ConsoleSession](d.t)(d.System().CreateConsoleSession(context.Background(), org, counterfoil.ConsoleSessionDraft{Member: member}))
	enter, err := url.Parse(session.URL)
	if err != nil {
		d.t.Fatal(err)
	}
	s := &sitter{d: d, at: "/o/" + slug, cookies: map[string]string{}}
	s.send(http.MethodGet, enter.RequestURI(), nil)
	if s.cookies["__Host-session"] == "" {
		d.t.Fatal("the address did not sign them in")
	}
	return s
}

func (s *sitter) get(path string) *shown {
	s.d.t.Helper()
	return s.send(http.MethodGet, s.at+path, nil)
}

// post sends a form: name, value, name, value …
func (s *sitter) post(path string, pairs ...string) *shown {
	s.d.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return s.send(http.MethodPost, s.at+path, form)
}

// does sends a form and opens the page that it leads to.
func (s *sitter) does(path string, pairs ...string) *shown {
	s.d.t.Helper()
	done := s.post(path, pairs...)
	if done.status != http.StatusSeeOther {
		s.d.t.Fatalf("POST %s: %d %s", path, done.status, done.text)
	}
	return s.send(http.MethodGet, done.location, nil)
}

func (s *sitter) send(method, path string, form url.Values) *shown {
	t := s.d.t
	t.Helper()
	r, err := http.NewRequest(method, s.d.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, name := range slices.Sorted(maps.Keys(s.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: s.cookies[name]})
	}
	browser := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer browser.CloseIdleConnections()
	answer, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for _, c := range answer.Cookies() {
		if s.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(s.cookies, c.Name)
		}
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &shown{t, answer.StatusCode, answer.Header.Get("Location"), answer.Header, string(body), visible(string(body))}
}

var (
	tags   = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>`)
	blanks = regexp.MustCompile(`\s+`)
)

// visible is the text of a page.
func visible(source string) string {
	return blanks.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(source, " ")), " ")
}

// says holds a page to a status and to texts on it; one that begins with ! must not be there.
func (p *shown) says(status int, texts ...string) *shown {
	p.t.Helper()
	if p.status != status {
		p.t.Errorf("answered %d (to %q), want %d: %s", p.status, p.location, status, p.text)
	}
	for _, text := range texts {
		text, unwanted := strings.CutPrefix(text, "!")
		if strings.Contains(p.text, text) == unwanted {
			p.t.Errorf("says %q: %v, of: %s", text, !unwanted, p.text)
		}
	}
	return p
}

// attr finds the value of an attribute of the first tag that matches a pattern.
func (p *shown) attr(tag, name string) string {
	p.t.Helper()
	found := regexp.MustCompile(tag).FindString(p.source)
	value := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(found)
	if value == nil {
		p.t.Fatalf("no %s with %s on: %s", tag, name, p.source)
	}
	return html.UnescapeString(value[1])
}
