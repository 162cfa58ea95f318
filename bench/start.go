//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

const (
	diskTokens  = 100_000
	startRounds = 9
	startTokens = 20_000 // that are made as the service makes them, where others are copies
)

// diskWorld is a SQLite database with 100,000 tokens, made once and not being served.
func (b *bench) diskWorld() (*world, error) {
	if b.disk != nil {
		return b.disk, nil
	}
	progress("making %d tokens", diskTokens)
	w, core, err := newWorld(b.ctx, worldConfig(filepath.Join(b.work, "disk"), ""), diskTokens)
	if err != nil {
		return nil, err
	}
	b.disk = w
	return w, core.Close()
}

// start measures from the start of the process to the first verdict.
func (b *bench) start() error {
	w, err := b.diskWorld()
	if err != nil {
		return err
	}
	progress("starting %d times", startRounds)
	var listening, verdict []float64
	for range startRounds {
		l, v, err := b.firstVerdict(w)
		if err != nil {
			return err
		}
		listening, verdict = append(listening, l), append(verdict, v)
	}
	ms := median(verdict)
	b.report.add(row{what: "start to first verdict, 100,000 tokens", value: fmt.Sprintf("%.0f ms", ms),
		beside: fmt.Sprintf("listening after %.0f ms", median(listening)), ratio: ms, unit: "ms", gate: 170, wish: 100})
	return nil
}

// bigStart measures the same with as many tokens as -tokens says, on both engines.
func (b *bench) bigStart(t *outside) error {
	url := postgrestest.Start(t, postgrestest.Options{}).URL()
	for _, engine := range []struct{ name, url string }{{"SQLite", ""}, {"PostgreSQL", url}} {
		progress("making %d tokens on %s", b.tokens, engine.name)
		w, core, err := newWorld(b.ctx, worldConfig(filepath.Join(b.work, "big-"+engine.name), engine.url), startTokens)
		if err != nil {
			return err
		}
		if err := core.Close(); err != nil {
			return err
		}
		if err := w.multiply(b.ctx, b.tokens); err != nil {
			return err
		}
		var listening, verdict []float64
		for range startRounds {
			l, v, err := b.firstVerdict(w)
			if err != nil {
				return err
			}
			listening, verdict = append(listening, l), append(verdict, v)
		}
		ms := median(verdict)
		b.report.add(row{what: fmt.Sprintf("%s, start to first verdict, %d tokens", engine.name, b.tokens), value: fmt.Sprintf("%.0f ms, best %.0f", ms, slices.Min(verdict)),
			beside: fmt.Sprintf("listening after %.0f ms", median(listening)), ratio: ms, unit: "ms", gate: 300, wish: 150})
	}
	return nil
}

func (b *bench) firstVerdict(w *world) (listening, verdict float64, err error) {
	request := faces[0].requestFor(w.system, w.strings[rand.IntN(len(w.strings))])
	began := time.Now()
	p, err := launch(b.binary, serveCommand(w.config)...)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var c net.Conn
	for c, err = net.Dial("tcp", p.address); err != nil; c, err = net.Dial("tcp", p.address) {
		if time.Since(began) > 10*time.Second {
			return 0, 0, err
		}
		time.Sleep(100 * time.Microsecond)
	}
	defer c.Close()
	listening = milliseconds(began)
	if _, err := c.Write(request); err != nil {
		return 0, 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, 0, err
	}
	verdict = milliseconds(began)
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("answered %s", answer.Status)
	}
	return listening, verdict, nil
}

func milliseconds(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1e3 }
