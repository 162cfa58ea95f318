package e2e_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// splunkToken makes an integration token.
func (in *instance) splunkToken(t testing.TB, kind counterfoil.Integration) counterfoil.Created {
	t.Helper()
	made, err := in.as(in.OwnerToken).CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: kind, Name: "siem"})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// TestSplunkAddonSaysWhatIsWrong: what an administrator reads when the input is saved, and in Splunk's log when it runs.
func TestSplunkAddonSaysWhatIsWrong(t *testing.T) {
	config := filepath.Join(t.TempDir(), "counterfoil.yaml")
	if err := os.WriteFile(config, []byte("data_centers:\n  - {name: us, prefix: cflus, url: \"https://us.tokens.example.com\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := serveNew(t, "", "--config", config)
	t.Setenv("COUNTERFOIL_PREFIX", "cflus")
	us := serveNew(t, "")
	good := in.splunkToken(t, counterfoil.IntegrationSplunk)
	revoked := in.splunkToken(t, counterfoil.IntegrationSplunk)
	if _, err := in.as(in.OwnerToken).RevokeToken(t.Context(), "current", revoked.Token.ID, ""); err != nil {
		t.Fatal(err)
	}
	service := "http://" + in.address
	elsewhere := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer elsewhere.Close()
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	shortened := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"code":"cursor_expired","detail":"Go on with o1."}`)
	}))
	defer shortened.Close()
	overTLS := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: in.address}))
	overTLS.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that the input breaks off
	overTLS.StartTLS()
	defer overTLS.Close()

	for name, c := range map[string]struct {
		settings map[string]string
		want     string
	}{
		"good":                  {map[string]string{"url": service, "token": good.Secret}, ""},
		"the Activity Logs URL": {map[string]string{"url": service + "/activities/query", "token": good.Secret}, ""},
		"no URL":                {map[string]string{"token": good.Secret}, "url: give the address"},
		"in the clear":          {map[string]string{"url": "http://tokens.example.com", "token": good.Secret}, "url: begin it with https://"},
		"limit":                 {map[string]string{"url": service, "token": good.Secret, "limit": "1001"}, "limit: give a whole number"},
		"limit, as a power":     {map[string]string{"url": service, "token": good.Secret, "limit": "²"}, "limit: give a whole number"},
		"a bracket":             {map[string]string{"url": "https://[tokens", "token": good.Secret}, "url: give the address"},
		"a port of letters":     {map[string]string{"url": "https://tokens.example.com:https", "token": good.Secret}, "url: give the address"},
		"cut short by a page":   {map[string]string{"url": service, "token": good.Secret + "…"}, "^token: it holds a space"},
		"two lines":             {map[string]string{"url": service, "token": good.Secret + "\nX"}, "^token: it holds a space"},
		"proxy":                 {map[string]string{"url": service, "token": good.Secret, "proxy": "proxy:3128"}, "proxy: give http://host:port"},
		"unknown":               {map[string]string{"url": service, "token": "nonsense"}, "the service does not know this token \\(401 invalid_token\\)"},
		"revoked":               {map[string]string{"url": service, "token": revoked.Secret}, "\\(401 token_revoked\\)"},
		"another's":             {map[string]string{"url": service, "token": in.splunkToken(t, counterfoil.IntegrationCustom).Secret}, "make one under Integrations, Splunk \\(403 wrong_audience\\)"},
		"another data centre":   {map[string]string{"url": service, "token": us.splunkToken(t, counterfoil.IntegrationSplunk).Secret}, "Change url in the input main: .*https://us.tokens.example.com"},
		"redirected":            {map[string]string{"url": elsewhere.URL, "token": good.Secret}, "sends elsewhere, to http://127.0.0.1:1/, which is not followed"},
		"not the service":       {map[string]string{"url": page.URL, "token": good.Secret}, "answered 404 and not as Counterfoil does"},
		"shortened":             {map[string]string{"url": shortened.URL, "token": good.Secret}, "retention has removed events .*410 cursor_expired.* remove its file counterfoil-[*].json in Splunk"},
		"nobody there":          {map[string]string{"url": "http://" + freeAddress(t), "token": good.Secret}, "cannot be reached: .*refused"},
		"an unknown authority":  {map[string]string{"url": overTLS.URL, "token": good.Secret}, "the certificate of 127.0.0.1 is not trusted.*Set ca_file"},
		"no authority":          {map[string]string{"url": overTLS.URL, "token": good.Secret, "ca_file": config}, "ca_file: .*cannot be read as PEM"},
	} {
		input := newSplunkInput(t, c.settings)
		told := input.validate()
		if c.want == "" && told != "" || !regexp.MustCompile(c.want).MatchString(told) {
			t.Errorf("%s: validation says %q, want %q", name, told, c.want)
		}
		if strings.Contains(told, good.Secret) {
			t.Errorf("%s: validation tells the token", name)
		}
	}
	input := newSplunkInput(t, map[string]string{"url": service, "token": revoked.Secret})
	if _, told, err := input.run(); err == nil || !regexp.MustCompile(`^ERROR counterfoil_activity://main: .*token_revoked.*\n$`).MatchString(told) {
		t.Errorf("a run with a revoked token ends with %v and says %q", err, told)
	}
}

// TestSplunkAddonReachesTheService: over TLS with a private authority, through a proxy, with the token from Splunk's
// storage, and by waiting as long as the service asks for.
func TestSplunkAddonReachesTheService(t *testing.T) {
	in := serveNew(t, "")
	token := in.splunkToken(t, counterfoil.IntegrationSplunk).Secret
	var busy atomic.Int32
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: in.address})
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if busy.Add(-1) >= 0 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer front.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"url": front.URL, "token": token, "ca_file": ca}

	t.Run("busy", func(t *testing.T) {
		busy.Store(1)
		events, told, err := newSplunkInput(t, settings).run()
		if err != nil || len(events) == 0 || !strings.Contains(told, "WARN counterfoil_activity://main: ") || !strings.Contains(told, "Trying again in 1 s") {
			t.Errorf("%d events, %v: %s", len(events), err, told)
		}
	})
	t.Run("proxy", func(t *testing.T) {
		asked := make(chan string, 10)
		proxy := httptest.NewServer(connectProxy(asked))
		defer proxy.Close()
		input := newSplunkInput(t, map[string]string{"url": front.URL, "token": token, "ca_file": ca, "proxy": proxy.URL})
		if events, told, err := input.run(); err != nil || len(events) == 0 {
			t.Errorf("%d events, %v: %s", len(events), err, told)
		}
		if got := <-asked; got != strings.TrimPrefix(front.URL, "https://") {
			t.Errorf("the proxy was asked for %s", got)
		}
	})
	t.Run("Splunk's storage", func(t *testing.T) {
		splunkd := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.EscapedPath() != "/servicesNS/nobody/TA-counterfoil/storage/passwords/counterfoil%3Amain%3A" || r.Header.Get("Authorization") != "Splunk s3ss10n" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprintf(w, `{"entry":[{"name":"counterfoil:main:","content":{"clear_password":%q}}]}`, token)
		}))
		defer splunkd.Close()
		input := newSplunkInput(t, map[string]string{"url": front.URL, "ca_file": ca})
		input.splunkd = splunkd.URL
		if events, told, err := input.run(); err != nil || len(events) == 0 || input.validate() != "" {
			t.Errorf("%d events, %v: %s", len(events), err, told)
		}
		input.name = "other"
		if told := input.validate(); !strings.Contains(told, "neither in the input nor in Splunk's credential storage") {
			t.Errorf("an input whose token is nowhere is told %q", told)
		}
	})
	t.Run("a damaged checkpoint", func(t *testing.T) {
		input := newSplunkInput(t, settings)
		if _, told, err := input.run(); err != nil {
			t.Fatal(err, told)
		}
		files, err := filepath.Glob(filepath.Join(input.checkpoints, "*"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		if err := os.WriteFile(files[0], []byte(`{"after":`), 0o600); err != nil {
			t.Fatal(err)
		}
		if events, told, err := input.run(); err == nil || len(events) != 0 || !strings.Contains(told, "Remove it to read the whole log again") {
			t.Errorf("%d events, %v: %s", len(events), err, told)
		}
	})
}

// connectProxy is an HTTP proxy that opens tunnels and tells where to.
func connectProxy(asked chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Host
		to, err := net.Dial("tcp", r.Host)
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		from, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			to.Close()
			return
		}
		defer from.Close()
		defer to.Close()
		if _, err := io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
			return
		}
		go func() { _, _ = io.Copy(to, from) }() // ends with either connection
		_, _ = io.Copy(from, to)
	})
}
