//go:build linux

package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

const (
	nodeCount    = 3
	nodeRounds   = 5
	nodeRevokes  = 200 // a round, one after the other
	nodeTokens   = 20_000
	nodeConns    = 16
	awaitReceipt = 10 * time.Second
)

// fleet is several processes on one PostgreSQL.
type fleet struct {
	*world
	database *postgrestest.Server
	nodes    []*process
	clients  []*client.Client
	gone     atomic.Int64 // of the world's tokens, from the first on: they were revoked
}

// nodes measures what several nodes cost and give.
func (b *bench) nodes() error {
	if err := postgrestest.Available(); err != nil {
		b.report.note("several nodes", "not measured: PostgreSQL is not installed", "")
		return nil
	}
	t := &outside{}
	defer t.end()
	f, err := b.fleet(t)
	if err != nil {
		return err
	}
	for _, step := range []func(*fleet) error{b.revokeEverywhere, b.checkEverywhere, b.strict, b.stall, b.databaseRestart} {
		if err := step(f); err != nil {
			return err
		}
	}
	return b.bigStart(t)
}

func (b *bench) fleet(t *outside) (*fleet, error) {
	progress("starting PostgreSQL and %d nodes", nodeCount)
	f := &fleet{database: postgrestest.Start(t, postgrestest.Options{Settings: map[string]string{"max_connections": "150"}})}
	w, core, err := newWorld(b.ctx, worldConfig(filepath.Join(b.work, "nodes"), f.database.URL()), nodeTokens)
	if err != nil {
		return nil, err
	}
	if err := core.Close(); err != nil {
		return nil, err
	}
	f.world = w
	for range nodeCount {
		p, err := b.serve(w.config)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { _ = p.stop() })
		f.nodes = append(f.nodes, p)
		f.clients = append(f.clients, client.New("http://"+p.address, w.system, client.WithTimeout(awaitReceipt),
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: nodeConns}})))
	}
	for end := time.Now().Add(awaitReceipt); ; { // until all know of each other
		_, nodes, err := f.revoke(b.ctx, 0)
		if err != nil || nodes == nodeCount {
			return f, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("a receipt names %d nodes", nodes)
		}
	}
}

// revoke revokes the next token at a node and returns how long the receipt says that it took.
func (f *fleet) revoke(ctx context.Context, node int) (tookMS float64, nodes int, err error) {
	n := f.gone.Add(1) - 1
	gone, err := f.clients[node].RevokeToken(ctx, f.orgs[n], f.ids[n], "")
	if err == nil && !gone.Receipt.Complete {
		err = fmt.Errorf("the receipt is not complete: %+v", gone.Receipt)
	}
	return gone.Receipt.TookMS, len(gone.Receipt.Nodes), err
}

// revokeEverywhere is the time from the request to the receipt of all nodes, with nothing else going on, beside single
// commits of the same database, in turn.
func (b *bench) revokeEverywhere(f *fleet) error {
	progress("revoking")
	conn, err := pgx.Connect(b.ctx, f.database.URL())
	if err != nil {
		return err
	}
	defer conn.Close(b.ctx)
	if _, err := conn.Exec(b.ctx, "CREATE TABLE bench (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
		return err
	}
	var whole, took, floor spread
	for range nodeRounds {
		var w, r, c []float64
		for i := range nodeRevokes {
			began := time.Now()
			ms, _, err := f.revoke(b.ctx, i%nodeCount)
			if err != nil {
				return err
			}
			w, r = append(w, milliseconds(began)), append(r, ms)
			began = time.Now()
			if _, err := conn.Exec(b.ctx, "INSERT INTO bench (body) VALUES ('one row of an ordinary length, to be committed alone')"); err != nil {
				return err
			}
			c = append(c, milliseconds(began))
		}
		whole.add(w)
		took.add(r)
		floor.add(c)
	}
	what := fmt.Sprintf("revoke with receipt, %d nodes", nodeCount)
	b.report.add(row{what: what + ", p99", value: whole.text(), beside: "one commit " + floor.text(), ratio: median(whole.p99), unit: "ms", gate: 50, wish: 20})
	b.report.note("  from the commit to the last node", took.text(), fmt.Sprintf("p50 %.1f × one commit", median(took.p50)/median(floor.p50)))
	return b.revokeTogether(f)
}

// revokeTogether is the same from several clients at once.
func (b *bench) revokeTogether(f *fleet) error {
	var whole, took spread
	for range nodeRounds {
		var mu sync.Mutex
		var w, r []float64
		var clients errgroup.Group
		began := time.Now()
		for i := range nodeConns {
			clients.Go(func() error {
				for range nodeRevokes / 4 {
					began := time.Now()
					ms, _, err := f.revoke(b.ctx, i%nodeCount)
					if err != nil {
						return err
					}
					mu.Lock()
					w, r = append(w, milliseconds(began)), append(r, ms)
					mu.Unlock()
				}
				return nil
			})
		}
		if err := clients.Wait(); err != nil {
			return err
		}
		whole.rate = append(whole.rate, float64(len(w))/time.Since(began).Seconds())
		whole.add(w)
		took.add(r)
	}
	b.report.note(fmt.Sprintf("  the same, %d clients", nodeConns), whole.text(), fmt.Sprintf("%.0f/s", median(whole.rate)))
	b.report.note("  from the commit to the last node", took.text(), "")
	return nil
}

// spread is what rounds of measurements came to, in milliseconds.
type spread struct{ p50, p99, rate []float64 }

func (s *spread) add(ms []float64) {
	slices.Sort(ms)
	s.p50, s.p99 = append(s.p50, ms[len(ms)/2]), append(s.p99, ms[len(ms)*99/100])
}

// text has the medians of the rounds, and what the best one had: the machine may have had other work in the others.
func (s *spread) text() string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms (best round %.1f)", median(s.p50), median(s.p99), slices.Min(s.p99))
}

// checkEverywhere is the rate of checks over one, two and three nodes, beside one empty handler, in turn. On one machine
// they share the processors: what it shows is that they do not wait for each other.
func (b *bench) checkEverywhere(f *fleet) error {
	order, err := b.checks(f, "checks", "")
	if err != nil {
		return err
	}
	empty, err := launch("/proc/self/exe", "empty")
	if err != nil {
		return err
	}
	defer empty.stop()
	if err := empty.await(); err != nil {
		return err
	}
	var rates [nodeCount + 1][]float64
	for round := range b.rounds {
		for n := range rates {
			o := order
			o.From, o.Address = round*3001, empty.address
			if n > 0 {
				o.Address, o.More = f.nodes[0].address, f.addresses()[1:n]
			} else {
				o.Holds = ""
			}
			r, err := b.load.round(o)
			if err != nil {
				return err
			}
			rates[n] = append(rates[n], r.rate())
		}
	}
	for n := 1; n <= nodeCount; n++ {
		b.report.note(fmt.Sprintf("POST /v1/verify over %d of %d nodes, %d conn.", n, nodeCount, nodeConns), fmt.Sprintf("%.0f/s", median(rates[n])),
			fmt.Sprintf("%.2f × one empty handler %.0f/s", median(ratios(rates[n], rates[0])), median(rates[0])))
	}
	return nil
}

func (f *fleet) addresses() (list []string) {
	for _, p := range f.nodes {
		list = append(list, p.address)
	}
	return list
}

// checks is a round of checks of tokens that are good, which every node has seen once.
func (b *bench) checks(f *fleet, name, consistency string) (order, error) {
	progress("%s over %d nodes", name, nodeCount)
	var requests [][]byte
	for _, token := range f.good() {
		body := fmt.Sprintf(`{"token":%q,"permissions":[%q],"ip":"203.0.113.9"%s}`, token, asked, consistency)
		requests = append(requests, fmt.Appendf(nil, "POST /v1/verify HTTP/1.1\r\nHost: counterfoil\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			f.system, len(body), body))
	}
	o := order{Conns: nodeConns, Seconds: 30, Once: true, Status: 200, Holds: `{"active":true,`, File: filepath.Join(b.work, name+".requests")}
	if err := writeRequests(o.File, requests); err != nil {
		return o, err
	}
	for _, p := range f.nodes {
		o.Address = p.address
		if _, err := b.load.round(o); err != nil {
			return o, err
		}
	}
	o.Seconds, o.Once = b.seconds, false
	return o, nil
}

// good are tokens that nobody has revoked.
func (f *fleet) good() []string { return f.strings[len(f.strings)-5000:] }

// strict compares checks that go by the database with those that go by memory.
func (b *bench) strict(f *fleet) error {
	var orders [2]order
	for i, name := range []string{"plain", "strict"} {
		o, err := b.checks(f, name, map[string]string{"strict": `,"consistency":"strict"`}[name])
		if err != nil {
			return err
		}
		o.Address, o.PID = f.nodes[0].address, f.nodes[0].pid()
		orders[i] = o
	}
	var rate, cpu, p99 [2][]float64
	for round := range b.rounds {
		for i, o := range orders {
			o.From = round * 3001
			r, err := b.load.round(o)
			if err != nil {
				return err
			}
			rate[i], cpu[i], p99[i] = append(rate[i], r.rate()), append(cpu[i], r.cpuMicros()), append(p99[i], float64(r.P99.Microseconds())/1e3)
		}
	}
	b.report.note(fmt.Sprintf("strict checks, one node, %d conn.", nodeConns), fmt.Sprintf("%.0f/s, p99 %.1f ms, CPU %.0f µs", median(rate[1]), median(p99[1]), median(cpu[1])),
		fmt.Sprintf("%.3f × plain %.0f/s, p99 %.1f ms, CPU %.0f µs", median(ratios(rate[1], rate[0])), median(rate[0]), median(p99[0]), median(cpu[0])))
	return nil
}
