package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/web"
)

// running serves h until stop; ended carries what Serve returned.
func running(t *testing.T, h http.Handler, drain time.Duration) (addr string, stop context.CancelFunc, ended chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended = make(chan error, 1)
	go func() { ended <- web.Serve(ctx, web.NewServer(h), ln, drain) }()
	return ln.Addr().String(), cancel, ended
}

func TestServeDrains(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	addr, stop, ended := running(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		_, _ = io.WriteString(w, "done")
	}), time.Minute)
	got := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + addr)
		if err != nil {
			got <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		got <- string(body)
	}()
	<-entered
	stop()
	for { // the listener closes at once; only then may the running request end
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(release)
	if body := <-got; body != "done" {
		t.Errorf("the running request got %q", body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}

func TestServeBreaksOffAfterTheDrain(t *testing.T) {
	entered, broken := make(chan struct{}), make(chan struct{})
	addr, stop, ended := running(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done() // ends when the connection is closed under it
		close(broken)
	}), 10*time.Millisecond)
	go func() {
		if res, err := http.Get("http://" + addr); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-entered
	stop()
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve = %v, want a deadline", err)
	}
	select {
	case <-broken:
	case <-time.After(30 * time.Second):
		t.Error("the request was left running")
	}
}

func TestServeReportsADeadListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := web.Serve(t.Context(), web.NewServer(http.NotFoundHandler()), ln, time.Second); err == nil {
		t.Error("Serve = nil")
	}
}

func TestServerLimitsHeaders(t *testing.T) {
	addr, _, _ := running(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), time.Second)
	for size, status := range map[int]string{15 << 10: "200", 24 << 10: "431"} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Big: "+strings.Repeat("x", size)+"\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+status) {
			t.Errorf("%d bytes of headers: %q, %v; want %s", size, line, err, status)
		}
		_ = conn.Close()
	}
	if srv := web.NewServer(nil); srv.ReadHeaderTimeout != 5*time.Second || srv.ReadTimeout != 30*time.Second || srv.IdleTimeout != 60*time.Second {
		t.Errorf("timeouts %v %v %v", srv.ReadHeaderTimeout, srv.ReadTimeout, srv.IdleTimeout)
	}
}
