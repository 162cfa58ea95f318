package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// TestStreamGoesOn: a log in which nothing happens for long, behind something that cuts connections.
func TestStreamGoesOn(t *testing.T) {
	const begin, beat = ": the log, from here on\nid: o5\n\n", ": still here\nid: o7\n\n"
	stream := map[string]string{"Content-Type": "text/event-stream"}
	for _, test := range []struct {
		name  string
		cut   string // what each of the first connections says
		times int
		after string // where the last one goes on; empty: there is none
	}{
		{"before anything happened", begin, 1, "o5"},
		{"silent for a while, again and again", begin + beat, 30, "o7"},
		{"never more than a beginning", begin, 11, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked []string
				c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(q request) answer {
					asked = append(asked, q.URL.Query().Get("after"))
					if len(asked) <= test.times {
						return answer{status: 200, header: stream, body: test.cut}
					}
					return answer{status: 200, header: stream, body: "id: o9\ndata: {\"id\":\"evt_9\"}\n\n"}
				}).client()))
				for e, err := range c.StreamEvents(t.Context(), current, client.EventQuery{}) {
					if test.after == "" {
						if !errors.Is(err, io.ErrUnexpectedEOF) || len(asked) != test.times {
							t.Errorf("after %d connections: %+v, %v", len(asked), e, err)
						}
						break
					}
					if err != nil || e.ID != "evt_9" || asked[0] != "" || asked[len(asked)-1] != test.after {
						t.Errorf("asked from %q it yields %+v, %v", asked, e, err)
					}
					break
				}
			})
		})
	}
}

func TestStreamOfAnotherServer(t *testing.T) {
	tries := 0
	c := client.New("https://tokens.example.com", "t", client.WithHTTPClient(answering(func(request) answer {
		tries++
		return answer{status: http.StatusOK, header: map[string]string{"Content-Type": "text/html"}, body: "<h1>Welcome</h1>"}
	}).client()))
	for _, err := range c.StreamEvents(t.Context(), current, client.EventQuery{}) {
		if tries != 1 || !errors.Is(err, &counterfoil.Error{Code: client.CodeUnexpectedAnswer}) || !strings.Contains(err.Error(), "no proxy in the way") {
			t.Errorf("after %d tries: %v", tries, err)
		}
	}
}
