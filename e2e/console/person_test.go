package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take on a busy machine before a test gives up.
const patience = 60 * time.Second

// person is somebody in front of a browser with a profile of their own. What they cannot do or see fails the test; so
// does, at its end, what went wrong in the browser: an exception of a script, what the content policy refused, a file
// that is not there.
type person struct {
	t   testing.TB
	ctx context.Context
	url string // of the console
	own cdp.BrowserContextID

	mu     sync.Mutex
	faults []string
	asked  []string // what the browser asked in boxes of its own; they were agreed to
	loaded float64  // bytes that came over the network since the last open
}

func newPerson(t testing.TB, url string) *person {
	t.Helper()
	whole := cdp.WithExecutor(chromium, chromedp.FromContext(chromium).Browser)
	profile, err := target.CreateBrowserContext().Do(whole)
	if err != nil {
		t.Fatal(err)
	}
	window, err := target.CreateTarget("about:blank").WithBrowserContextID(profile).WithNewWindow(true).Do(whole)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithTargetID(window))
	p := &person{t: t, ctx: ctx, url: url, own: profile}
	t.Cleanup(func() {
		cancel()
		if err := target.DisposeBrowserContext(profile).Do(whole); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Errorf("in the browser: %s", f)
		}
	})
	chromedp.ListenTarget(ctx, p.listen)
	if err := chromedp.Run(ctx); err != nil { // the first Run's context is the window's life
		t.Fatal(err)
	}
	p.do("opening a window", network.Enable(), log.Enable(), page.Enable(), chromedp.EmulateViewport(1440, 900))
	return p
}

func (p *person) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := func(format string, args ...any) { p.faults = append(p.faults, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault("%s", e.ExceptionDetails.Error())
	case *log.EventEntryAdded:
		if e.Entry.Source != log.SourceNetwork && e.Entry.Level != log.LevelVerbose { // refusals are answers too
			fault("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && e.Type != network.ResourceTypeDocument {
			fault("%s was answered %d", e.Response.URL, e.Response.Status)
		}
	case *network.EventLoadingFinished:
		p.loaded += e.EncodedDataLength
	case *page.EventJavascriptDialogOpening:
		p.asked = append(p.asked, string(e.Type))
		go chromedp.Run(p.ctx, page.HandleJavaScriptDialog(true))
	}
}

// do runs steps that need no repetition.
func (p *person) do(what string, steps ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, steps...); err != nil {
		p.give(what, err)
	}
}

// until tries again until ok says yes. An error is a page in between, most often one that is just being left.
func (p *person) until(what string, ok func(context.Context) (bool, error)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(15 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		done := false
		err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
			done, err = ok(ctx)
			return err
		}))
		if done && err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			p.give(what, last)
		case <-tick.C:
		}
	}
}

// give up, with what is on the page.
func (p *person) give(what string, err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	var seen string
	_ = chromedp.Run(ctx, chromedp.Evaluate(`location.pathname + " | " + document.title + "\n" + (document.querySelector("dialog") ?? document.querySelector("main")).innerText.replace(/\n+/g, "\n").replace(/^(.{800}).*(.{800})$/s, "$1\n…\n$2")`, &seen))
	p.t.Fatalf("%s: not within %v (%v). The page: %s", what, patience, err, seen)
}

// eval is the value of an expression in the page.
func eval[T any](p *person, expression string) (value T) {
	p.t.Helper()
	p.do("asking the page "+expression, chromedp.Evaluate(expression, &value))
	return value
}

// open goes to a path or address, and waits until everything of it is there.
func (p *person) open(to string) {
	p.t.Helper()
	if strings.HasPrefix(to, "/") {
		to = p.url + to
	}
	p.mu.Lock()
	p.loaded = 0
	p.mu.Unlock()
	p.do("opening "+to, chromedp.Navigate(to))
}

// leaving does what leaves the page, and waits for the next one.
func (p *person) leaving(act func()) {
	p.t.Helper()
	p.do("marking the page", chromedp.Evaluate(`void (window.left = true)`, nil))
	act()
	p.until("the next page", func(ctx context.Context) (next bool, err error) {
		err = chromedp.Evaluate(`!window.left && document.readyState === "complete"`, &next).Do(ctx)
		return next, err
	})
}

// text is what the page shows, in one line.
const text = `document.body.innerText.replace(/\s+/g, " ")`

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// sees waits until the page shows each of these.
func (p *person) sees(words ...string) {
	p.t.Helper()
	for _, w := range words {
		p.until("seeing "+quote(w), func(ctx context.Context) (seen bool, err error) {
			err = chromedp.Evaluate(text+`.includes(`+quote(w)+`)`, &seen).Do(ctx)
			return seen, err
		})
	}
}

// missing is what should not be on the page that is there now.
func (p *person) missing(words ...string) {
	p.t.Helper()
	shown := eval[string](p, text)
	for _, w := range words {
		if strings.Contains(shown, w) {
			p.t.Errorf("the page shows %q: %s", w, shown)
		}
	}
}

// at checks the address, without the host.
func (p *person) at(path string) {
	p.t.Helper()
	if got := eval[string](p, `location.pathname + location.search`); got != path {
		p.t.Errorf("the browser is at %s, want %s", got, path)
	}
}

// fetch is what the server answers to the page itself.
func (p *person) fetch(path string) (body string) {
	p.t.Helper()
	p.do("fetching "+path, chromedp.Evaluate(`fetch(`+quote(path)+`).then((r) => r.text())`, &body, awaited))
	return body
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func (p *person) cookie(name, value string) {
	p.t.Helper()
	p.do("setting a cookie", network.SetCookie(name, value).WithURL(p.url).WithPath("/").WithSecure(true).WithHTTPOnly(true))
}

// downloads has what is downloaded land in a directory of the test's.
func (p *person) downloads() (dir string) {
	p.t.Helper()
	dir = p.t.TempDir()
	p.do("allowing downloads", browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir).WithBrowserContextID(p.own))
	return dir
}

// boxes are those of the browser's own that came up since the last call.
func (p *person) boxes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := slices.Clone(p.asked)
	p.asked = nil
	return out
}
