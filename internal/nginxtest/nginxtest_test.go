package nginxtest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/nginxtest"
)

func TestAvailable(t *testing.T) {
	if err := nginxtest.Available(); err != nil {
		t.Fatal(err)
	}
}

func TestAuthRequest(t *testing.T) {
	check := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("X-Owner", "ada")
	}))
	defer check.Close()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // one that answers before it has read all may cut nginx off
		fmt.Fprintf(w, "hello %s", r.Header.Get("X-Owner"))
	}))
	defer upstream.Close()

	var base, address string
	t.Run("nginx", func(t *testing.T) {
		base = nginxtest.Start(t, func(port int, _ string) string {
			return fmt.Sprintf(`
				server {
					listen 127.0.0.1:%d;
					location / {
						auth_request /check;
						auth_request_set $owner $upstream_http_x_owner;
						proxy_set_header X-Owner $owner;
						proxy_pass %s;
					}
					location = /check {
						internal;
						proxy_pass %s;
						proxy_pass_request_body off;
						proxy_set_header Content-Length "";
					}
				}`, port, upstream.URL, check.URL)
		})
		address = strings.TrimPrefix(base, "http://")
		for _, test := range []struct {
			credential string
			status     int
			body       string
		}{
			{"Bearer good", http.StatusOK, "hello ada"},
			{"Bearer bad", http.StatusUnauthorized, ""},
			{"", http.StatusUnauthorized, ""},
		} {
			// The large body makes nginx use its own files.
			request, err := http.NewRequestWithContext(t.Context(), "POST", base, strings.NewReader(strings.Repeat("x", 1<<17)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", test.credential)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != test.status || test.body != "" && string(body) != test.body {
				t.Errorf("%q: %d %q, want %d %q", test.credential, response.StatusCode, body, test.status, test.body)
			}
		}
	})
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		t.Error("nginx is still there after its test")
	}
}

func TestBadConfigurationIsTold(t *testing.T) {
	told := &fatal{TB: t}
	done := make(chan struct{})
	go func() { // Fatalf ends its goroutine
		defer close(done)
		nginxtest.Start(told, func(int, string) string { return "no_such_directive;" })
	}()
	<-done
	if !strings.Contains(told.message, `unknown directive "no_such_directive"`) {
		t.Errorf("the test is told %q, want nginx's own words", told.message)
	}
}

// fatal is a test that remembers why it failed.
type fatal struct {
	testing.TB
	message string
}

func (f *fatal) Fatalf(format string, args ...any) {
	f.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
