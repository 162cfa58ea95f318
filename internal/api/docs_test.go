package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/api"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// docsServer serves the API without a registry, which the pages do not need.
func docsServer(t *testing.T) http.Handler {
	t.Helper()
	a, err := api.New(api.Config{Version: "test", Verifier: &verify.Verifier{Config: verify.Config{Prefix: "cfl"}}})
	if err != nil {
		t.Fatal(err)
	}
	return a.Handler()
}

func fetch(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var linked = regexp.MustCompile(`(?:href|src)="([^"]*)"`)

// assetsOf lists the files that a page loads or links to.
func assetsOf(h http.Handler, page string) (paths []string) {
	for _, m := range linked.FindAllStringSubmatch(fetch(h, "GET", page).Body.String(), -1) {
		if strings.HasPrefix(m[1], "/docs/assets/") {
			paths = append(paths, m[1])
		}
	}
	return paths
}

func TestDocsPages(t *testing.T) {
	h := docsServer(t)
	for _, path := range []string{"/docs", "/docs/errors"} {
		t.Run(path, func(t *testing.T) {
			w := fetch(h, "GET", path)
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
			}
			expectStrict(t, w.Result())
			if got := w.Header().Get("Cache-Control"); got != "no-cache" {
				t.Errorf("Cache-Control is %q: a browser would show yesterday's page", got)
			}
			page := w.Body.String()
			for _, inline := range []string{"<script>", "<style", " style=", " onclick=", "javascript:"} {
				if strings.Contains(page, inline) {
					t.Errorf("the page has %s, which its own policy forbids", inline)
				}
			}
			links := linked.FindAllStringSubmatch(page, -1)
			if len(links) < 5 {
				t.Fatalf("only %d links found: this test does not read the page", len(links))
			}
			for _, m := range links {
				expectLink(t, h, path, m[1])
			}
			if again := fetch(h, "GET", path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("asked again with its ETag: %d with %d bytes", again.Code, again.Body.Len())
			}
			if head := fetch(h, "HEAD", path); head.Code != http.StatusOK || head.Body.Len() != 0 {
				t.Errorf("HEAD: %d with %d bytes", head.Code, head.Body.Len())
			}
		})
	}
	if w := fetch(h, "GET", "/docs/"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "/docs" {
		t.Errorf("/docs/ answers %d to %q", w.Code, w.Header().Get("Location"))
	}
}

// expectStrict fails unless an answer tells the browser to load from, send to and be framed by nobody else.
func expectStrict(t *testing.T, r *http.Response) {
	t.Helper()
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func expectLink(t *testing.T, h http.Handler, page, link string) {
	t.Helper()
	switch {
	case link == "data:,":
	case strings.HasPrefix(link, "#"):
		if !strings.Contains(fetch(h, "GET", page).Body.String(), `id="`+link[1:]+`"`) {
			t.Errorf("%s leads nowhere", link)
		}
	case !strings.HasPrefix(link, "/") || strings.HasPrefix(link, "//"):
		t.Errorf("%s is not an address of this server", link)
	default:
		if w := fetch(h, "GET", link); w.Code != http.StatusOK {
			t.Errorf("%s answers %d", link, w.Code)
		}
	}
}

func TestDocsAssets(t *testing.T) {
	h := docsServer(t)
	files := assetsOf(h, "/docs")
	if len(files) != 7 {
		t.Fatalf("the page names the files %q, want 7", files)
	}
	published := sums(t)
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			plain, packed := fetch(h, "GET", file), fetch(h, "GET", file, "Accept-Encoding", "br;q=1.0, gzip;q=0.8")
			body := plain.Body.Bytes()
			if want, vendored := published[name]; vendored && sum(body) != want {
				t.Errorf("is served as %s, but was published as %s", sum(body), want)
			}
			if packed.Header().Get("Content-Encoding") == "gzip" {
				if !bytes.Equal(unpack(t, packed.Body.Bytes()), body) {
					t.Error("the compressed form holds something else")
				}
				if plain.Header().Get("ETag") == packed.Header().Get("ETag") || plain.Header().Get("Vary") != "Accept-Encoding" || packed.Header().Get("Vary") != "Accept-Encoding" {
					t.Error("a cache would mix up the compressed and the plain form")
				}
			} else if len(body) > 20_000 {
				t.Errorf("%d bytes are served plain to a client that takes gzip", len(body))
			}
			for _, w := range []*httptest.ResponseRecorder{plain, packed} {
				if w.Code != http.StatusOK {
					t.Errorf("answers %d", w.Code)
				}
				expectStrict(t, w.Result())
				if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
					t.Errorf("Cache-Control is %q", got)
				}
			}
			again := fetch(h, "GET", file, "Accept-Encoding", "gzip", "If-None-Match", packed.Header().Get("ETag"))
			if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
				t.Errorf("asked again with its ETag: %d with %d bytes", again.Code, again.Body.Len())
			}
		})
	}
	for _, path := range []string{"/docs/assets/0000000000000000/docs.css", filepath.Dir(files[0]) + "/routes.go", filepath.Dir(files[0]) + "/..%2fapi.html"} {
		if w := fetch(h, "GET", path); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s answers %d %s, Cache-Control %s", path, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"))
		}
	}
}

func TestDocsAssetsByEncoding(t *testing.T) {
	h := docsServer(t)
	file := assetsOf(h, "/docs")[0]
	for accept, want := range map[string]string{
		"gzip": "gzip", "GZIP": "gzip", "deflate, gzip, br, zstd": "gzip", "gzip; q=0.5": "gzip", "gzip;q=1.000": "gzip",
		"": "", "identity": "", "br": "", "*": "", "gzip;q=0": "", "gzip; q=0.000, br": "", "x-gzip2": "",
	} {
		if got := fetch(h, "GET", file, "Accept-Encoding", accept).Header().Get("Content-Encoding"); got != want {
			t.Errorf("Accept-Encoding %q gets %q, want %q", accept, got, want)
		}
	}
}

// TestVendoredSwaggerUI compares every file from outside with the sum of what was published.
func TestVendoredSwaggerUI(t *testing.T) {
	const dir = "docs/swagger-ui"
	published := sums(t)
	ours := map[string]bool{"SHA256SUMS": true, "README.md": true, ".gitattributes": true}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, entry := range entries {
		if ours[entry.Name()] {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		size += len(content)
		name, packed := strings.CutSuffix(entry.Name(), ".gz")
		if packed {
			content = unpack(t, content)
		}
		if want, ok := published[name]; !ok {
			t.Errorf("%s has no line in SHA256SUMS", entry.Name())
		} else if sum(content) != want {
			t.Errorf("%s has the sum %s, want %s", entry.Name(), sum(content), want)
		}
		delete(published, name)
	}
	for name := range published {
		t.Errorf("%s is in SHA256SUMS, but not in %s", name, dir)
	}
	if size > 600_000 {
		t.Errorf("%d bytes are embedded; the pages are worth 600 kB", size)
	}
}

func sums(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("docs/swagger-ui/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || len(sum) != 64 {
			t.Fatalf("SHA256SUMS: %q is no line of sha256sum", line)
		}
		all[name] = sum
	}
	if len(all) == 0 {
		t.Fatal("SHA256SUMS is empty")
	}
	return all
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// TestDocsErrors holds the page to what problems link to: type is /docs/errors# and the code.
func TestDocsErrors(t *testing.T) {
	page := fetch(docsServer(t), "GET", "/docs/errors").Body.String()
	section := regexp.MustCompile(`<section class="code" id="([a-z_]+)">\s*<h3><a href="#[a-z_]+"><code>[a-z_]+</code></a></h3>\s*<p class="title">([^<]+)</p>\s*<p>([^<]+)</p>\s*<p><b>What to do:</b> ([^<]+)</p>`)
	found := map[string]bool{}
	for _, m := range section.FindAllStringSubmatch(page, -1) {
		if found[m[1]] {
			t.Errorf("%s is explained twice", m[1])
		}
		found[m[1]] = true
		for _, sentence := range m[3:] {
			if len(sentence) < 20 || !strings.HasSuffix(sentence, ".") {
				t.Errorf("%s: %q is no sentence", m[1], sentence)
			}
		}
	}
	for _, code := range web.Codes() {
		if !found[string(code)] {
			t.Errorf("%s has no explanation", code)
		}
		delete(found, string(code))
		if !strings.Contains(page, fmt.Sprintf("<dt>%d</dt>", web.Status(code))) || !strings.Contains(page, ">"+web.Title(code)+"<") {
			t.Errorf("%s lacks its status or its title", code)
		}
	}
	for code := range found {
		t.Errorf("%s is explained, but no problem carries it", code)
	}
}

// TestDocsProblemType follows the type of a real problem.
func TestDocsProblemType(t *testing.T) {
	h := docsServer(t)
	var problem web.ProblemDetails
	if err := json.Unmarshal(fetch(h, "GET", "/nowhere").Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	page, anchor, _ := strings.Cut(problem.Type, "#")
	if w := fetch(h, "GET", page); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `id="`+anchor+`"`) {
		t.Errorf("%s answers %d without that anchor", problem.Type, w.Code)
	}
}

// TestDocsAreNotInTheDocument keeps pages for people out of what machines read.
func TestDocsAreNotInTheDocument(t *testing.T) {
	var document struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(fetch(docsServer(t), "GET", "/openapi.json").Body.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	if len(document.Paths) < 20 {
		t.Fatalf("the document has %d paths", len(document.Paths))
	}
	for path := range document.Paths {
		if strings.HasPrefix(path, "/docs") {
			t.Errorf("%s is in the document", path)
		}
	}
}

// TestDocsKeepNoToken holds the script to what the page promises. What a browser really keeps was looked at by hand.
func TestDocsKeepNoToken(t *testing.T) {
	script, err := os.ReadFile("docs/docs.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"persistAuthorization: false", "queryConfigEnabled: false", "validatorUrl: null", `url: "/openapi.json"`} {
		if !bytes.Contains(script, []byte(want)) {
			t.Errorf("docs.js does not say %s", want)
		}
	}
	for _, not := range []string{"localStorage", "sessionStorage", "cookie", "//cdn", "http://", "https://"} {
		if bytes.Contains(script, []byte(not)) {
			t.Errorf("docs.js has %s", not)
		}
	}
}
