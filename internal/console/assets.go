package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// assets are files with their content in their name, so that browsers keep them for good.
type assets struct {
	byName map[string]asset  // console.1a2b3c4d.css
	names  map[string]string // console.css → console.1a2b3c4d.css
}

type asset struct {
	content []byte
	kind    string
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// logoAsset is the product's own logo among the assets.
const logoAsset = "logo"

func loadAssets(logo []byte) (assets, error) {
	a := assets{byName: map[string]asset{}, names: map[string]string{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return a, err
	}
	for _, e := range entries {
		ext := path.Ext(e.Name())
		kind, ok := assetKinds[ext]
		if !ok {
			continue
		}
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return a, err
		}
		a.add(e.Name(), content, kind)
	}
	if logo != nil {
		kind, err := logoKind(logo)
		if err != nil {
			return a, err
		}
		a.add(logoAsset, logo, kind)
	}
	return a, nil
}

// maxLogo is the size of a logo in bytes: every first visit loads it.
const maxLogo = 64 << 10

func logoKind(logo []byte) (string, error) {
	switch {
	case len(logo) > maxLogo:
		return "", fmt.Errorf("the logo has %d bytes; at most %d are shown", len(logo), maxLogo)
	case http.DetectContentType(logo) == "image/png":
		return "image/png", nil
	case bytes.Contains(logo[:min(len(logo), 1024)], []byte("<svg")):
		return assetKinds[".svg"], nil
	}
	return "", errors.New("the logo is neither SVG nor PNG")
}

func (a *assets) add(name string, content []byte, kind string) {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	full := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:4]) + ext
	a.byName[full], a.names[name] = asset{content, kind}, full
}

// url is the address of an asset; the icons' is followed by # and a name.
func (a *assets) url(name string) string { return "/assets/" + a.names[name] }

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	file, ok := a.byName[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") // a logo may have styles; nothing runs
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.content))
}
