//go:build linux

package main

import (
	"database/sql"
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

	groundTime = 500 * time.Millisecond
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
	sqlite, err := newSingleCommits(filepath.Join(b.work, "single.db"))
	if err != nil {
		return err
	}
	defer sqlite.close()
	made, gone, err := b.write(p, creates, revokes, b.syncRate, sqlite.rate)
	if err != nil {
		return err
	}
	followed, err := b.streamed(p, w.system, creates)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	b.report.add(row{what: "SQLite, creates, 64 clients", value: made.text(), beside: fmt.Sprintf("fdatasync %.0f/s", made.raw[0]), ratio: made.ratio[0], unit: "×", gate: 3, wish: 8, least: true})
	b.report.note("", "", fmt.Sprintf("%.2f × SQLite's single-row commits %.0f/s", made.ratio[1], made.raw[1]))
	if err := b.boundsOfCreates(w, creates); err != nil {
		return err
	}
	b.report.note("SQLite, revokes, 64 clients", gone.text(), fmt.Sprintf("%.2f × fdatasync %.0f/s", gone.ratio[0], gone.raw[0]))
	b.report.note("", "", fmt.Sprintf("%.2f × SQLite's single-row commits %.0f/s", gone.ratio[1], gone.raw[1]))
	b.report.add(followed)
	return b.postgresWrites()
}

// ground measures how often a second something beneath the service makes a write durable.
type ground func() (float64, error)

// written is what rounds of writes came to, in medians.
type written struct {
	rate, p99, cpu float64
	raw, ratio     []float64 // for each ground
}

func (w *written) text() string {
	return fmt.Sprintf("%.0f/s, p99 %.0f ms, CPU %.0f µs", w.rate, w.p99, w.cpu)
}

// write runs rounds of creates and of revocations, each between two measurements of what the ground beneath can do.
func (b *bench) write(p *process, creates, revokes order, grounds ...ground) (made, gone written, err error) {
	progress("creates")
	if made, err = b.writeRounds(p, creates, grounds); err != nil {
		return made, gone, err
	}
	progress("revokes")
	gone, err = b.writeRounds(p, revokes, grounds)
	return made, gone, err
}

func (b *bench) writeRounds(p *process, o order, grounds []ground) (w written, err error) {
	var rate, p99, cpu []float64
	raw, ratio := make([][]float64, len(grounds)), make([][]float64, len(grounds))
	o.Address, o.PID, o.Seconds = p.address, p.pid(), writeSeconds
	before, err := measure(grounds)
	if err != nil {
		return w, err
	}
	for range writeRounds {
		r, err := b.load.round(o)
		if err != nil {
			return w, err
		}
		after, err := measure(grounds)
		if err != nil {
			return w, err
		}
		for i := range grounds {
			beneath := (before[i] + after[i]) / 2
			raw[i], ratio[i] = append(raw[i], beneath), append(ratio[i], r.rate()/beneath)
		}
		before = after
		o.From += r.Requests
		rate, p99, cpu = append(rate, r.rate()), append(p99, float64(r.P99.Microseconds())/1e3), append(cpu, r.cpuMicros())
	}
	w = written{rate: median(rate), p99: median(p99), cpu: median(cpu)}
	for i := range grounds {
		w.raw, w.ratio = append(w.raw, median(raw[i])), append(w.ratio, median(ratio[i]))
	}
	return w, nil
}

func measure(grounds []ground) (rates []float64, err error) {
	for _, g := range grounds {
		rate, err := g()
		if err != nil {
			return nil, err
		}
		rates = append(rates, rate)
	}
	return rates, nil
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
	for time.Since(began) < groundTime {
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

// singleCommits is SQLite as the service opens it, with one writer that commits each row alone.
type singleCommits struct {
	db     *sql.DB
	insert *sql.Stmt
}

func newSingleCommits(path string) (*singleCommits, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	s := &singleCommits{db: db}
	if _, err = db.Exec("CREATE TABLE bench (id INTEGER PRIMARY KEY, body TEXT NOT NULL)"); err == nil {
		s.insert, err = db.Prepare("INSERT INTO bench (body) VALUES ($1)")
	}
	if err != nil {
		db.Close()
	}
	return s, err
}

func (s *singleCommits) close() { _ = s.db.Close() }

func (s *singleCommits) rate() (float64, error) {
	n := 0
	began := time.Now()
	for time.Since(began) < groundTime {
		if _, err := s.insert.Exec("one row of an ordinary length, to be committed alone"); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
