package api

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// docsPolicy lets the pages load what this server embeds, talk to this server, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var (
	//go:embed docs/swagger-ui/swagger-ui.css.gz
	swaggerStyle []byte
	//go:embed docs/swagger-ui/swagger-ui-bundle.js.gz
	swaggerScript []byte
	//go:embed docs/swagger-ui/swagger-ui-bundle.js.LICENSE.txt
	swaggerScriptLicenses []byte
	//go:embed docs/swagger-ui/LICENSE
	swaggerLicense []byte
	//go:embed docs/swagger-ui/NOTICE
	swaggerNotice []byte

	//go:embed docs/docs.css
	docsStyle []byte
	//go:embed docs/docs.js
	docsScript []byte
	//go:embed docs/api.html
	docsAPIPage string
	//go:embed docs/errors.html
	docsErrorsPage string
)

// docsFile is a file that the pages load. One that is kept compressed has gunzip in place of plain.
type docsFile struct {
	name, media string
	plain       []byte
	compressed  []byte
	gunzip      func() ([]byte, error)
	tag         string // of the plain form, without quotes
}

// docsSite is the pages for people and their files. The files' address holds a hash of them all, so that a browser may
// keep them for good.
type docsSite struct {
	files []docsFile
	hash  string
}

func newDocsSite() *docsSite {
	const text, style, script = "text/plain; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
	s := &docsSite{files: []docsFile{
		{name: "docs.css", media: style, plain: docsStyle},
		{name: "docs.js", media: script, plain: docsScript},
		{name: "swagger-ui.css", media: style, compressed: swaggerStyle},
		{name: "swagger-ui-bundle.js", media: script, compressed: swaggerScript},
		{name: "swagger-ui-bundle.js.LICENSE.txt", media: text, plain: swaggerScriptLicenses},
		{name: "LICENSE", media: text, plain: swaggerLicense},
		{name: "NOTICE", media: text, plain: swaggerNotice},
	}}
	all := sha256.New()
	for i := range s.files {
		f := &s.files[i]
		kept := f.plain
		if f.compressed != nil {
			kept = f.compressed
			f.gunzip = sync.OnceValues(func() ([]byte, error) { return gunzip(f.compressed) })
		}
		sum := sha256.Sum256(kept)
		all.Write(sum[:])
		f.tag = hex.EncodeToString(sum[:8])
	}
	s.hash = hex.EncodeToString(all.Sum(nil)[:8])
	return s
}

// gunzip is for the rare client that cannot: what it makes is kept in memory from then on.
func gunzip(compressed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// docsRoutes are the pages for people. They show nothing that is anyone's, and load nothing from anywhere else.
func docsRoutes() []route {
	s := newDocsSite()
	return []route{
		{method: get, path: "/docs", open: true, hidden: true, summary: "The API for people", plain: func(*API) http.HandlerFunc {
			return docsPage("api", docsAPIPage, struct{ Assets string }{s.assets()})
		}},
		{method: get, path: "/docs/errors", open: true, hidden: true, summary: "The errors for people", plain: func(*API) http.HandlerFunc {
			return docsPage("errors", docsErrorsPage, struct {
				Assets string
				Groups []docsErrorGroup
			}{s.assets(), docsErrorGroups()})
		}},
		{method: get, path: "/docs/{$}", open: true, hidden: true, summary: "The API for people", plain: func(*API) http.HandlerFunc {
			return http.RedirectHandler("/docs", http.StatusPermanentRedirect).ServeHTTP
		}},
		{method: get, path: "/docs/assets/{hash}/{file}", open: true, hidden: true, summary: "What the pages load", plain: func(*API) http.HandlerFunc {
			return s.serveFile
		}},
	}
}

// assets is the address of the files, up to their names.
func (s *docsSite) assets() string { return "/docs/assets/" + s.hash + "/" }

// docsPage renders a page once; its data is part of the program.
func docsPage(name, text string, data any) http.HandlerFunc {
	var page bytes.Buffer
	err := template.Must(template.New(name).Parse(text)).Execute(&page, data)
	sum := sha256.Sum256(page.Bytes())
	return func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			web.WriteProblem(w, r, fmt.Errorf("rendering the page %s: %w", name, err))
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", docsPolicy)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page.Bytes()))
	}
}

func (s *docsSite) serveFile(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("hash") == s.hash {
		for i := range s.files {
			if s.files[i].name == r.PathValue("file") {
				s.files[i].serve(w, r)
				return
			}
		}
	}
	web.WriteProblem(w, r, &counterfoil.Error{Code: counterfoil.CodeNotFound})
}

func (f *docsFile) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	body, tag := f.plain, f.tag
	if f.compressed != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Values("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, tag = f.compressed, f.tag+"-gzip"
		} else {
			var err error
			if body, err = f.gunzip(); err != nil {
				web.WriteProblem(w, r, fmt.Errorf("decompressing %s: %w", f.name, err))
				return
			}
		}
	}
	h.Set("Content-Security-Policy", docsPolicy)
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3) as far as it is needed: gzip by name, unless its weight
// is zero. A client that means it by * alone gets the plain form.
func acceptsGzip(values []string) bool {
	for part := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, weighted := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(weight, " ", "")), "q=")
		return !weighted || strings.Trim(q, "0.") != ""
	}
	return false
}
