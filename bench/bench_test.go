//go:build linux

package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhole(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"active\":true}"
	for _, test := range []struct {
		name, answer string
		done         bool
		err          string
	}{
		{name: "whole", answer: answer, done: true},
		{name: "without its end", answer: answer[:len(answer)-1]},
		{name: "half a head", answer: answer[:20]},
		{name: "another status", answer: strings.Replace(answer, "200", "503", 1), err: "503"},
		{name: "another verdict", answer: strings.Replace(answer, "true}", "nope}", 1), err: "nope"},
		{name: "two at once", answer: answer + answer, err: "more was answered"},
		{name: "no length", answer: "HTTP/1.1 200 OK\r\n\r\n", err: "Content-Length"},
		{name: "not a status", answer: "HTTP/1.1 abc OK\r\n\r\n", err: "answered"},
		{name: "not HTTP", answer: "SSH\r\n\r\n", err: "answered"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := volley{order: &order{Status: 200, Holds: `"active":true`}}
			done, err := v.whole([]byte(test.answer))
			if test.err == "" && (err != nil || done != test.done) {
				t.Errorf("done %v, %v, want %v", done, err, test.done)
			}
			if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("error %v, want one with %q", err, test.err)
			}
		})
	}
}

func TestFire(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan string, 300)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { served <- r.URL.Path })}
	go srv.Serve(l)
	defer srv.Close()
	o := order{Address: l.Addr().String(), PID: os.Getpid(), Conns: 4, Seconds: 30, From: 1, Once: true, Status: 200}
	var requests [][]byte
	for range 201 {
		requests = append(requests, []byte("GET /x HTTP/1.1\r\nHost: x\r\n\r\n"))
	}
	r, err := fire(&o, requests)
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 200 || len(served) != 200 || r.P99 < r.P50 || r.P50 <= 0 || r.rate() <= 0 {
		t.Errorf("%d sent, %d served, %+v", r.Requests, len(served), r)
	}
	o.Status = 204
	if _, err := fire(&o, requests); err == nil {
		t.Error("a wrong answer passed")
	}
}

func TestGates(t *testing.T) {
	for _, test := range []struct {
		name string
		row
		ok   bool
		says string
	}{
		{"costs too much", row{ratio: 1.9, gate: 1.8, wish: 1.4}, false, "MISSED"},
		{"costs little enough", row{ratio: 1.5, gate: 1.8, wish: 1.4}, true, "ok"},
		{"costs what is wished", row{ratio: 1.4, gate: 1.8, wish: 1.4}, true, "wish reached"},
		{"reaches too little", row{ratio: 0.4, gate: 0.5, wish: 0.7, least: true}, false, "MISSED"},
		{"reaches the gate", row{ratio: 0.5, gate: 0.5, wish: 0.7, least: true}, true, "ok"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.unit = "×"
			var out strings.Builder
			r := report{rows: []row{test.row}}
			if ok := r.print(&out); ok != test.ok || !strings.Contains(out.String(), test.says) {
				t.Errorf("ok %v in\n%s", ok, out.String())
			}
		})
	}
}

// TestWorld checks that what is measured is a check that passes, in process and over HTTP.
func TestWorld(t *testing.T) {
	w, core, err := newWorld(t.Context(), worldConfig(filepath.Join(t.TempDir(), "data"), ""), 2*worldOrgs)
	if err != nil {
		t.Fatal(err)
	}
	defer core.Close()
	if len(w.strings) != 2*worldOrgs {
		t.Fatalf("%d tokens", len(w.strings))
	}
	if err := warm(t.Context(), core, w); err != nil {
		t.Fatal(err)
	}
	if tokens, _, _ := core.Verifier.CacheStats(); tokens < len(w.strings) {
		t.Errorf("%d tokens are in memory", tokens)
	}
	var all []int
	for i := range w.strings {
		all = append(all, i)
	}
	if err := verifyAll(t.Context(), core.Verifier, w.strings, all); err != nil {
		t.Error(err)
	}
}
