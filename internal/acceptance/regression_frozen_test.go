package acceptance

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// proxy passes TCP on to a database until it is frozen: then connections stay open, new ones too, and nothing passes.
type proxy struct {
	net.Listener
	target string
	mu     sync.RWMutex // held while frozen; shared by each piece that passes
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: target}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", p.target)
			if err != nil {
				near.Close()
				continue
			}
			go p.pass(near, far)
			go p.pass(far, near)
		}
	}()
	return p
}

func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		p.mu.RLock()
		_, failed := to.Write(piece[:n])
		p.mu.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// TestFrozenDatabase: PostgreSQL that is silent, and not gone, makes checks answer 503 soon; none hangs.
func TestFrozenDatabase(t *testing.T) {
	t.Parallel()
	database, err := url.Parse(postgrestest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, database.Host)
	database.Host = p.Addr().String()
	w := newWorld(t, database.String())
	o := w.tenant(t)
	var known []made
	for range 40 {
		known = append(known, o.orgToken(t, "devices:read"))
	}
	full := together(120, func(i int) answer { // fills the pools
		if i%2 == 0 {
			return o.ask(t, o.token, "GET tokens?q="+fmt.Sprint(i), "")
		}
		return o.ask(t, o.token, "PATCH tokens/"+known[i%40].id, fmt.Sprintf(`{"name":"name %d"}`, i))
	})
	if full["200"] != 120 {
		t.Fatalf("load: %v", full)
	}
	p.mu.Lock()
	thaw := sync.OnceFunc(p.mu.Unlock)
	defer thaw()
	frozen := time.Now()
	var writes sync.WaitGroup
	for i := range 30 { // they hold the writers' connections; their outcome is theirs
		writes.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "PATCH", o.URL+"/v1/organizations/"+o.id+"/tokens/"+known[i].id, strings.NewReader(`{"name":"frozen"}`))
			if err != nil {
				return
			}
			r.Header = http.Header{"Authorization": {"Bearer " + o.token}, "Content-Type": {"application/json"}}
			if response, err := (&http.Client{Timeout: 45 * time.Second}).Do(r); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		})
	}
	const longest = 8 * time.Second
	check := func(i int) answer {
		asked := time.Now()
		a := o.ask(t, o.SystemToken, "POST /v1/verify", question(known[i%40].secret))
		if took := time.Since(asked); took > longest {
			t.Errorf("a check took %v", took)
		}
		return a
	}
	eventually(t, "a check that answers 503", func() bool { return check(0).status == http.StatusServiceUnavailable })
	for range 2 {
		if got := together(40, check); got["503 unavailable"] != 40 {
			t.Errorf("%v into the silence, checks answer %v", time.Since(frozen), got)
		}
	}
	thaw()
	thawed := time.Now()
	for end := thawed.Add(40 * time.Second); check(0).String() != "200 ok"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("checks do not come back")
		}
	}
	t.Logf("good again %v after the thaw", time.Since(thawed))
	writes.Wait()
	if got := together(40, check); got["200 ok"] != 40 {
		t.Errorf("afterwards, checks answer %v", got)
	}
	expect(t, "afterwards, a change", o.ask(t, o.token, "PATCH tokens/"+known[0].id, `{"name":"after"}`), "200")
}
