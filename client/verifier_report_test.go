package client_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// deaf is a transport that loses the answers of reports with uses: the server has counted them.
type deaf struct{ left, reports atomic.Int64 }

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	told := false
	answer, err := throughReports(r, func(body []byte) string {
		told = bytes.Contains(body, []byte(`"count"`))
		return ""
	})
	if told && err == nil {
		d.reports.Add(1)
		if d.left.Add(-1) >= 0 {
			answer.Body.Close()
			return nil, errors.New("the answer is lost")
		}
	}
	return answer, err
}

// Uses whose report was not answered are counted once, also where the process ends before it is.
func TestUsesOfALostAnswerAreCountedOnce(t *testing.T) {
	for name, lost := range map[string]int64{"the process goes on": 3, "it ends": 1_000_000} {
		t.Run(name, func(t *testing.T) {
			s, line := counterfoiltest.Start(t), &deaf{}
			t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
			v := newVerifier(t, client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})))
			made := s.Token(t, "devices:read") // the uses of its old value are counted by themselves
			must(s.System().RotateToken(t.Context(), s.Organization.ID, made.Token.ID, time.Hour))(t)
			eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
			line.left.Store(lost)
			const uses = 7
			for range uses {
				if got := must(v.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: here}))(t); !got.Active {
					t.Fatal(got)
				}
			}
			eventually(t, "answers are lost", func() bool { return line.reports.Load() >= min(lost, 3) })
			if lost < 1000 {
				eventually(t, "one is answered", func() bool { return line.left.Load() < 0 })
			}
			v.Close()
			got := must(s.System().PreviousValue(t.Context(), s.Organization.ID, made.Token.ID))(t)
			if len(got.Uses) != 1 || got.Uses[0].Count != uses {
				t.Errorf("%d uses were made, and counted %+v", uses, got.Uses)
			}
		})
	}
}

// poisoned is a transport that makes a server which never takes a report with uses.
type poisoned struct{ cured atomic.Bool }

func (p *poisoned) RoundTrip(r *http.Request) (*http.Response, error) {
	return throughReports(r, func(body []byte) string {
		if bytes.Contains(body, []byte(`"count"`)) && !p.cured.Load() {
			return "/uses/0/token"
		}
		return ""
	})
}

// Uses that the server does not take keep a verifier from no lease, and the log says that they are not counted; once.
func TestUsesThatAreRefused(t *testing.T) {
	s, line, log := counterfoiltest.Start(t), &poisoned{}, &said{}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	v := must(client.NewVerifier(client.New(s.URL, s.SystemToken, client.WithHTTPClient(&http.Client{Transport: line})),
		client.VerifierConfig{Logger: slog.New(slog.NewTextHandler(log, nil))}))(t)
	t.Cleanup(v.Close)
	made := s.Token(t, "devices:read")
	eventually(t, "it answers by itself", func() bool { return goesByMemory(v) })
	must(v.Verify(t.Context(), made.Secret, counterfoil.Attempt{IP: here}))(t)
	const taken, again = "does not take the reports", "takes the reports of this process again"
	eventually(t, "it says so", func() bool { return strings.Contains(log.String(), taken) })
	age := func() int64 { a, _ := v.Staleness(); return int64(a) }
	for range 3 { // renewals
		before := age()
		eventually(t, "its lease is renewed", func() bool { now := age(); renewed := now < before; before = now; return renewed })
	}
	if !goesByMemory(v) || strings.Count(log.String(), taken) != 1 || strings.Contains(log.String(), again) {
		t.Errorf("it answers by itself: %v; its log: %s", goesByMemory(v), log)
	}
	line.cured.Store(true)
	eventually(t, "the uses are told", func() bool { return v.Waiting() == 0 && strings.Contains(log.String(), again) })
}
