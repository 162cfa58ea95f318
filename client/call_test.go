package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// request is what a fake server gets, and answer what it says.
type request struct {
	*http.Request
	content string
}

type answer struct {
	status int
	header map[string]string
	body   string
	err    error // instead of all that
}

type answering func(request) answer

func (f answering) client() *http.Client { return &http.Client{Transport: f} }

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := f(request{r, string(content)})
	if a.err != nil {
		return nil, a.err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	for name, value := range a.header {
		h.Set(name, value)
	}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

var (
	fine     = answer{status: 200, body: "{}"}
	busy     = problem(503, "unavailable")
	refused  = answer{err: &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	reset    = answer{err: &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}}
	busyFor2 = problem(503, "unavailable", "Retry-After", "2")
	busyFor6 = problem(503, "unavailable", "Retry-After", "6")
)

func problem(status int, code string, headers ...string) answer {
	a := answer{status: status, header: map[string]string{"Content-Type": "application/problem+json"}, body: `{"code":"` + code + `","detail":"so it is","request_id":"req_1"}`}
	for i := 0; i < len(headers); i += 2 {
		a.header[headers[i]] = headers[i+1]
	}
	return a
}

func TestRetries(t *testing.T) {
	read := func(ctx context.Context, c *client.Client) error {
		_, err := c.CurrentToken(ctx)
		return err
	}
	create := func(options ...client.CallOption) func(context.Context, *client.Client) error {
		return func(ctx context.Context, c *client.Client) error {
			_, err := c.CreateToken(ctx, current, counterfoil.Draft{Name: "once"}, options...)
			return err
		}
	}
	revoke := func(ctx context.Context, c *client.Client) error {
		_, err := c.RevokeToken(ctx, current, "tok_1", "")
		return err
	}
	verify := func(ctx context.Context, c *client.Client) error {
		_, err := c.Verify(ctx, counterfoil.Question{})
		return err
	}
	const ms = time.Millisecond
	for _, test := range []struct {
		name     string
		do       func(context.Context, *client.Client) error
		answers  []answer
		tries    int
		min, max time.Duration // waited
		ok       bool
	}{
		{"a read that works", read, []answer{fine}, 1, 0, 0, true},
		{"a read, unavailable once", read, []answer{busy, fine}, 2, 100 * ms, 300 * ms, true},
		{"a read, unavailable twice", read, []answer{busy, busy, fine}, 3, 300 * ms, 900 * ms, true},
		{"a read, unavailable for good", read, []answer{busy, busy, busy, fine}, 3, 300 * ms, 900 * ms, false},
		{"a read, refused and unavailable", read, []answer{refused, busy, fine}, 3, 300 * ms, 900 * ms, true},
		{"a read that has to wait", read, []answer{busyFor2, fine}, 2, 2000 * ms, 2000 * ms, true},
		{"a read that would have to wait long", read, []answer{busyFor6, fine}, 1, 0, 0, false},
		{"a read of which nobody knows what became", read, []answer{reset, fine}, 1, 0, 0, false},
		{"a read that fails", read, []answer{problem(500, "internal"), fine}, 1, 0, 0, false},
		{"a read of many", read, []answer{problem(429, "rate_limited", "Retry-After", "1"), fine}, 1, 0, 0, false},
		{"a creation", create(), []answer{busy, fine}, 1, 0, 0, false},
		{"a creation, refused", create(), []answer{refused, fine}, 1, 0, 0, false},
		{"a creation with a key", create(client.IdempotencyKey("k")), []answer{busy, refused, fine}, 3, 300 * ms, 900 * ms, true},
		{"a creation with an empty key", create(client.IdempotencyKey("")), []answer{busy, fine}, 1, 0, 0, false},
		{"a revocation", revoke, []answer{refused, fine}, 1, 0, 0, false},
		{"a check", verify, []answer{busy, fine}, 1, 0, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(q request) answer {
					got = append(got, q.Header.Get("Idempotency-Key")+" "+q.Header.Get("Authorization")+" "+q.content)
					return test.answers[len(got)-1]
				}).client()))
				began := time.Now()
				err := test.do(t.Context(), c)
				if waited := time.Since(began); waited < test.min || waited > test.max {
					t.Errorf("it waited %v, want %v to %v", waited, test.min, test.max)
				}
				if len(got) != test.tries || len(slices.Compact(got)) != 1 {
					t.Errorf("it sent %q, want the same %d times", got, test.tries)
				}
				if (err == nil) != test.ok {
					t.Errorf("it answered %v", err)
				}
			})
		})
	}
}

func TestRetriesEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer { return busyFor2 }).client()))
		_, err := c.CurrentToken(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeUnavailable}) {
			t.Errorf("it answered %v", err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	hanging := answering(func(q request) answer {
		<-q.Context().Done()
		return answer{err: q.Context().Err()}
	})
	patient := hanging.client()
	patient.Timeout = time.Minute
	for _, test := range []struct {
		name    string
		options []client.Option
		want    time.Duration
	}{
		{"by default", []client.Option{client.WithHTTPClient(hanging.client())}, client.DefaultTimeout},
		{"of the http.Client", []client.Option{client.WithHTTPClient(patient)}, time.Minute},
		{"asked for", []client.Option{client.WithTimeout(time.Second), client.WithHTTPClient(patient)}, time.Second},
		{"none", []client.Option{client.WithHTTPClient(patient), client.WithTimeout(0)}, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				_, err := client.New("https://tokens.example.com", "t", test.options...).CurrentToken(ctx)
				if got := time.Since(began); got != test.want || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("after %v, want %v: %v", got, test.want, err)
				}
			})
		})
	}
	if patient.Timeout != time.Minute || patient.CheckRedirect != nil {
		t.Error("the http.Client that was given has changed")
	}
}

// TestOptionsThatDoNothing: an option that a call would ignore is refused before anything is sent.
func TestOptionsThatDoNothing(t *testing.T) {
	c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer {
		t.Error("it was sent")
		return fine
	}).client()))
	calls := map[string]func(...client.CallOption) error{
		"a read": func(o ...client.CallOption) error { _, err := c.CurrentToken(t.Context(), o...); return err },
		"a rotation": func(o ...client.CallOption) error {
			_, err := c.RotateToken(t.Context(), current, "tok_1", 0, o...)
			return err
		},
	}
	for name, do := range calls {
		for option, o := range map[string]client.CallOption{"key": client.IdempotencyKey("k"), "If-Match": client.IfMatch(`"1"`), "lock-out": client.AllowLockOut()} {
			if do(o) == nil {
				t.Errorf("%s takes a %s", name, option)
			}
		}
	}
	if _, err := c.EditRole(t.Context(), current, "rol_1", counterfoil.RoleEdit{}, client.IfMatch("")); err == nil {
		t.Error("an empty ETag is taken")
	}
}

func TestReceiptHeader(t *testing.T) {
	for header, want := range map[string]*client.ReceiptHeader{
		"":                            nil,
		"rcp_1; complete; took=12ms":  {ID: "rcp_1", Complete: true, Took: 12 * time.Millisecond},
		"rcp_1; pending; took=2001ms": {ID: "rcp_1", Took: 2001 * time.Millisecond},
		"rcp_1;new=1;complete":        {ID: "rcp_1", Complete: true},
		"rcp_1; took=soon":            {ID: "rcp_1"},
	} {
		c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer {
			return answer{status: 200, body: "{}", header: map[string]string{"Counterfoil-Receipt": header}}
		}).client()))
		var got client.Response
		if _, err := c.CurrentToken(t.Context(), client.Into(&got)); err != nil {
			t.Fatal(err)
		}
		if got.Receipt == nil != (want == nil) || want != nil && *got.Receipt != *want {
			t.Errorf("%q is read as %+v, want %+v", header, got.Receipt, want)
		}
	}
}

// TestListThatDoesNotMove: a cursor that leads to itself ends the walk with an error, not never.
func TestListThatDoesNotMove(t *testing.T) {
	c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer {
		return answer{status: 200, body: `{"data":[{"id":"tok_1"}],"next_cursor":"x"}`}
	}).client()))
	var seen int
	var last error
	for _, err := range c.Tokens(t.Context(), current, client.TokenQuery{}) {
		if last = err; err == nil {
			seen++
		}
	}
	if seen != 1 || last == nil {
		t.Errorf("after %d entries: %v", seen, last)
	}
	if roles, err := c.Roles(t.Context(), current); err == nil || roles != nil {
		t.Errorf("a list that fails is %v, %v", roles, err)
	}
}
