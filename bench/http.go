//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"syscall"
	"time"
)

// httpTokens is how many different tokens the requests present.
const httpTokens = 20_000

// face is one way to ask over HTTP.
type face struct {
	name   string
	holds  string // what the service's answer must hold
	file   string
	report string
}

var faces = []face{
	{name: "verify", holds: `{"active":true,`, report: "POST /v1/verify"},
	{name: "introspect", holds: `{"active":true,`, report: "POST /oauth2/introspect"},
	{name: "authorize", report: "GET /v1/authorize"},
}

// requestFor is what a backend or a gateway sends to ask about token.
func (f *face) requestFor(system, token string) []byte {
	body, head := "", ""
	switch f.name {
	case "verify":
		body = fmt.Sprintf(`{"token":%q,"permissions":[%q],"ip":"203.0.113.9"}`, token, asked)
		head = "POST /v1/verify HTTP/1.1\r\nHost: counterfoil\r\nAuthorization: Bearer " + system + "\r\nContent-Type: application/json\r\n"
	case "introspect":
		body = url.Values{"token": {token}, "ip": {"203.0.113.9"}}.Encode()
		head = "POST /oauth2/introspect HTTP/1.1\r\nHost: counterfoil\r\nAuthorization: Bearer " + system + "\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	case "authorize":
		return []byte("GET /v1/authorize HTTP/1.1\r\nHost: counterfoil\r\nX-Forwarded-For: 203.0.113.9\r\nX-Original-Method: GET\r\n" +
			"X-Original-URI: /api/devices/4711\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	}
	return fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// prepareFaces writes the requests of every face, in random order.
func (b *bench) prepareFaces(w *world) error {
	tokens := rand.New(rand.NewPCG(3, 4)).Perm(len(w.strings))[:min(httpTokens, len(w.strings))]
	for i := range faces {
		f := &faces[i]
		f.file = filepath.Join(b.work, f.name+".requests")
		var requests [][]byte
		for _, n := range tokens {
			requests = append(requests, f.requestFor(w.system, w.strings[n]))
		}
		if err := writeRequests(f.file, requests); err != nil {
			return err
		}
	}
	return nil
}

// pair is the service and the empty handler.
type pair struct{ ours, empty *process }

func (p pair) order(f *face, ours bool, conns int) order {
	if ours {
		return order{Address: p.ours.address, PID: p.ours.pid(), Conns: conns, File: f.file, Status: 200, Holds: f.holds}
	}
	return order{Address: p.empty.address, PID: p.empty.pid(), Conns: conns, File: f.file, Status: 200}
}

// http compares the check over HTTP with an empty handler that gets the same requests.
func (b *bench) http() error {
	w, err := b.diskWorld()
	if err != nil {
		return err
	}
	if err := b.prepareFaces(w); err != nil {
		return err
	}
	var p pair
	if p.empty, err = launch("/proc/self/exe", "empty"); err != nil {
		return err
	}
	defer p.empty.stop()
	if err := p.empty.await(); err != nil {
		return err
	}
	if p.ours, err = b.serve(w.config); err != nil {
		return err
	}
	defer p.ours.stop()
	for i := range faces {
		for _, ours := range []bool{false, true} {
			o := p.order(&faces[i], ours, 16)
			o.Seconds, o.Once = 30, true
			if _, err := b.load.round(o); err != nil {
				return err
			}
		}
	}
	time.Sleep(time.Second)
	for i := range faces {
		for _, conns := range []int{1, 16, 64} {
			if err := b.compare(p, &faces[i], conns); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare runs rounds of the empty handler and of the service in turn.
func (b *bench) compare(p pair, f *face, conns int) error {
	progress("%s, %d connections", f.report, conns)
	var rate, cpu, p99 [2][]float64
	for round := range b.rounds {
		for side := range 2 {
			o := p.order(f, side == 1, conns)
			o.Seconds, o.From = b.seconds, round*3001
			r, err := b.load.round(o)
			if err != nil {
				return err
			}
			rate[side], cpu[side] = append(rate[side], r.rate()), append(cpu[side], r.cpuMicros())
			p99[side] = append(p99[side], float64(r.P99.Microseconds()))
		}
	}
	what := fmt.Sprintf("%s, %d conn.", f.report, conns)
	b.report.add(row{what: what + ", requests/s", value: fmt.Sprintf("%.0f/s, p99 %.0f µs", median(rate[1]), median(p99[1])),
		beside: fmt.Sprintf("empty %.0f/s, p99 %.0f µs", median(rate[0]), median(p99[0])),
		ratio:  median(ratios(rate[1], rate[0])), unit: "×", gate: 0.5, wish: 0.7, least: true})
	b.report.add(row{what: what + ", CPU", value: fmt.Sprintf("%.1f µs", median(cpu[1])), beside: fmt.Sprintf("empty %.1f µs", median(cpu[0])),
		ratio: median(ratios(cpu[1], cpu[0])), unit: "×", gate: 1.8, wish: 1.4})
	return nil
}

// profiles writes a CPU profile of the server under each kind of load.
func (b *bench) profiles() error {
	w, err := b.diskWorld()
	if err != nil {
		return err
	}
	if err := b.prepareFaces(w); err != nil {
		return err
	}
	creates, revokes, err := b.prepareWrites("", w)
	if err != nil {
		return err
	}
	type load struct {
		name string
		order
	}
	var rounds []load
	for i := range faces {
		rounds = append(rounds, load{faces[i].name, order{Conns: 64, File: faces[i].file, Status: 200, Holds: faces[i].holds}})
	}
	if !b.wanted("http") {
		rounds = nil
	}
	if b.wanted("writes") {
		rounds = append(rounds, load{"create", creates}, load{"revoke", revokes})
	}
	for _, r := range rounds {
		path := filepath.Join(b.profile, r.name+".pprof")
		p, err := launch("/proc/self/exe", "serve", path, w.config.Dir)
		if err != nil {
			return err
		}
		if err := p.await(); err != nil {
			return err
		}
		r.Address, r.PID, r.Seconds = p.address, p.pid(), 2
		first, err := b.load.round(r.order)
		if err != nil {
			return err
		}
		if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		r.Seconds, r.From = 6, first.Requests
		out, err := b.load.round(r.order)
		if err != nil {
			return err
		}
		if err := p.stop(); err != nil {
			return err
		}
		fmt.Printf("%s: %.0f/s, %.1f µs each\n", path, out.rate(), out.cpuMicros())
	}
	return nil
}
