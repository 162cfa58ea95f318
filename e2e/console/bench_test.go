package console

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// BenchmarkPages is how long the server takes for a page of an organization with 10,000 tokens:
//
//	go test -run '^$' -bench Pages ./e2e/console
func BenchmarkPages(b *testing.B) {
	w, cookie := crowded(b, 10_000)
	for _, path := range []string{"/all-tokens", "/all-tokens?sort=name", "/all-tokens?q=0042", "/organization-tokens?show=unused", "/organization-tokens/new", "/members", "/activity"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				q, err := http.NewRequest(http.MethodGet, w.url+"/o/acme"+path, nil)
				if err != nil {
					b.Fatal(err)
				}
				q.Header.Set("Cookie", "__Host-session="+cookie)
				r, err := http.DefaultClient.Do(q)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != 200 || n < 4000 {
					b.Fatalf("%s is answered %d with %d bytes, %v", path, r.StatusCode, n, err)
				}
			}
		})
	}
}

// crowded is an organization with so many tokens, and the value of its owner's session.
func crowded(b *testing.B, tokens int) (*world, string) {
	b.Helper()
	w, _ := founded(b)
	out, err := w.Identity.SignIn(b.Context(), ada, password, here)
	if err != nil {
		b.Fatal(err)
	}
	const writers = 64 // they commit together
	var done sync.WaitGroup
	for i := range writers {
		done.Go(func() {
			for n := i; n < tokens; n += writers {
				draft := counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("service %05d", n), Permissions: []string{"devices:read"}}
				if _, err := w.Registry.CreateToken(b.Context(), registry.Operator(), w.org, draft); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
	return w, out.Value
}
