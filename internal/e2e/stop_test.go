package e2e_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// A server that is asked to stop answers what it had begun to read, closes idle connections in good order, takes no new
// ones, and loses nothing.
func TestStop(t *testing.T) {
	t.Parallel()
	in := serveNew(t, "")
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", in.address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	write := func(conn net.Conn, text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	head := func(line string, length int) string {
		return fmt.Sprintf("%s HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", line, bearer(in.SystemToken), length)
	}
	idle := dial()
	write(idle, head("GET /v1/tokens/current", 0))
	if r, err := http.ReadResponse(bufio.NewReaderSize(idle, 1), nil); err != nil || r.StatusCode != 200 {
		t.Fatal(r, err)
	} else if _, err := io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	begun := dial()
	body := `{"kind":"organization","name":"begun","permissions":["devices:read"]}`
	write(begun, strings.Replace(head("POST /v1/organizations/"+in.Organization.ID+"/tokens", len(body)), "\r\n", "\r\nExpect: 100-continue\r\n", 1))
	answers := bufio.NewReader(begun)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err) // now the handler waits for the body
	}

	process := in.process
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(idle); err != nil || len(rest) != 0 {
		t.Errorf("an idle connection ends with %q, %v", rest, err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", in.address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			break
		}
		if err == nil {
			conn.Close()
		}
		if time.Now().After(deadline) {
			t.Fatal("new connections are taken for ever")
		}
	}
	select {
	case <-process.Done():
		t.Fatal("the server ended before it had answered")
	default:
	}
	write(begun, body)
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(answers, nil)
	if err != nil || r.StatusCode != http.StatusCreated || !r.Close {
		t.Fatalf("the request under way: %+v, %v", r, err)
	}
	if err := process.Err(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	in.start()
	found := 0
	for token, err := range in.system().Tokens(t.Context(), in.Organization.ID, client.TokenQuery{Text: "begun"}) {
		if err != nil {
			t.Fatal(err)
		}
		if token.Name == "begun" {
			found++
		}
	}
	if found != 1 {
		t.Errorf("the token that was acknowledged while stopping is there %d times", found)
	}
}

// Under load, a stop loses no write that was acknowledged, and answers nothing with an error.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	in := setUp(t, t.TempDir(), "")
	var mu sync.Mutex
	var made []counterfoil.Created
	for round := range 5 {
		in.start()
		api, before := in.system(), len(made)
		warm := make(chan struct{}, 1)
		var done sync.WaitGroup
		for range 16 {
			done.Go(func() {
				for {
					c, err := api.CreateToken(t.Context(), in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "load", Permissions: []string{"devices:read"}})
					var refused *client.Error
					if errors.As(err, &refused) {
						t.Errorf("round %d: %v", round, err)
					}
					if err != nil {
						return
					}
					mu.Lock()
					if made = append(made, c); len(made) == before+100 {
						warm <- struct{}{}
					}
					mu.Unlock()
				}
			})
		}
		select {
		case <-warm:
		case <-time.After(patience):
			t.Fatal("no 100 tokens")
		}
		in.stop(syscall.SIGTERM)
		done.Wait()
	}
	t.Logf("%d tokens", len(made))
	checkTokens(t, in, made)
}
