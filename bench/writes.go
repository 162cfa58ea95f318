//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	writeConns   = 64
	writeSeconds = 1.5 // a round
	writeRounds  = 5
)

// prepareWrites writes the requests that create and revoke tokens of w. A revocation is sent once for each token.
func (b *bench) prepareWrites(name string, w *world) (creates, revokes order, err error) {
	create, revoke := [][]byte{}, [][]byte{}
	for i := range w.ids {
		org := w.orgs[i*7919%len(w.orgs)]
		if i < 1000 {
			body := fmt.Sprintf(`{"kind":"organization","name":"deploy %d","permissions":[%q,"devices:write"],"expires_in":2592000}`, i, asked)
			create = append(create, fmt.Appendf(nil, "POST /v1/organizations/%s/tokens HTTP/1.1\r\nHost: counterfoil\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
				org, w.system, len(body), body))
		}
		n := i * 7919 % len(w.ids)
		revoke = append(revoke, fmt.Appendf(nil, "DELETE /v1/organizations/%s/tokens/%s HTTP/1.1\r\nHost: counterfoil\r\nAuthorization: Bearer %s\r\n\r\n", w.orgs[n], w.ids[n], w.system))
	}
	creates = order{Conns: writeConns, Seconds: writeSeconds, File: filepath.Join(b.work, name+"create.requests"), Status: 201, Holds: `"secret":"cfl_org_`}
	revokes = order{Conns: writeConns, Seconds: writeSeconds, File: filepath.Join(b.work, name+"revoke.requests"), Status: 200, Once: true}
	return creates, revokes, errors.Join(writeRequests(creates.File, create), writeRequests(revokes.File, revoke))
}

// writes compares durable creates and revocations with how often the disk, or the database, commits at all.
func (b *bench) writes() error {
	w, err := b.diskWorld()
	if err != nil {
		return err
	}
	creates, revokes, err := b.prepareWrites("", w)
	if err != nil {
		return err
	}
	p, err := b.serve(w.config)
	if err != nil {
		return err
	}
	defer p.stop()
	made, gone, err := b.write(p, creates, revokes, b.syncRate)
	if err != nil {
		return err
	}
	b.report.add(row{what: "SQLite, creates, 64 clients", value: made.text(), beside: fmt.Sprintf("fdatasync %.0f/s", made.raw), ratio: made.ratio, unit: "×", gate: 3, wish: 8, least: true})
	b.report.note("SQLite, revokes, 64 clients", gone.text(), fmt.Sprintf("%.2f × fdatasync %.0f/s", gone.ratio, gone.raw))
	return b.postgresWrites()
}

// written is what rounds of writes came to, in medians.
type written struct{ rate, p99, cpu, raw, ratio float64 }

func (w *written) text() string {
	return fmt.Sprintf("%.0f/s, p99 %.0f ms, CPU %.0f µs", w.rate, w.p99, w.cpu)
}

// write runs rounds of creates and of revocations, each between two measurements of what the ground beneath can do.
func (b *bench) write(p *process, creates, revokes order, ground func() (float64, error)) (made, gone written, err error) {
	progress("creates")
	if made, err = b.writeRounds(p, creates, ground); err != nil {
		return made, gone, err
	}
	progress("revokes")
	gone, err = b.writeRounds(p, revokes, ground)
	return made, gone, err
}

func (b *bench) writeRounds(p *process, o order, ground func() (float64, error)) (w written, err error) {
	var rate, p99, cpu, raw, ratio []float64
	o.Address, o.PID, o.Seconds = p.address, p.pid(), writeSeconds
	before, err := ground()
	if err != nil {
		return w, err
	}
	for range writeRounds {
		r, err := b.load.round(o)
		if err != nil {
			return w, err
		}
		after, err := ground()
		if err != nil {
			return w, err
		}
		o.From += r.Requests
		beneath := (before + after) / 2
		before = after
		rate, p99, cpu = append(rate, r.rate()), append(p99, float64(r.P99.Microseconds())/1e3), append(cpu, r.cpuMicros())
		raw, ratio = append(raw, beneath), append(ratio, r.rate()/beneath)
	}
	return written{median(rate), median(p99), median(cpu), median(raw), median(ratio)}, nil
}

// syncRate is how often a second the disk makes a record of 4 KiB durable: one thread writes over a file that has its
// size already, and calls fdatasync.
func (b *bench) syncRate() (float64, error) {
	const record, length = 4 << 10, 4 << 20
	f, err := os.Create(filepath.Join(b.work, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, length)); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	n, data := 0, make([]byte, record)
	began := time.Now()
	for time.Since(began) < 700*time.Millisecond {
		data[0]++
		if _, err := f.WriteAt(data, int64(n*record%length)); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
