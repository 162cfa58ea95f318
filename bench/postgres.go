//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

const postgresTokens = 30_000

// outside stands for a test where there is none: what was to be cleaned up is kept, and a failure ends the run.
type outside struct {
	testing.TB
	ends []func()
}

func (o *outside) Helper()            {}
func (o *outside) Failed() bool       { return false }
func (o *outside) Cleanup(end func()) { o.ends = append(o.ends, end) }
func (o *outside) Fatal(args ...any)  { panic(fmt.Sprint(args...)) }
func (o *outside) end() {
	for i := len(o.ends) - 1; i >= 0; i-- {
		o.ends[i]()
	}
}

// postgresWrites is writes on a PostgreSQL of its own, beside the rate at which that one commits single rows.
func (b *bench) postgresWrites() error {
	if err := postgrestest.Available(); err != nil {
		b.report.note("PostgreSQL", "not measured: it is not installed", "")
		return nil
	}
	t := &outside{}
	defer t.end()
	progress("starting PostgreSQL")
	url := postgrestest.Start(t, postgrestest.Options{}).URL()
	w, core, err := newWorld(b.ctx, worldConfig(filepath.Join(b.work, "postgres"), url), postgresTokens)
	if err != nil {
		return err
	}
	if err := core.Close(); err != nil {
		return err
	}
	creates, revokes, err := b.prepareWrites("postgres-", w)
	if err != nil {
		return err
	}
	p, err := b.serve(w.config)
	if err != nil {
		return err
	}
	defer p.stop()
	ground, err := newCommitter(b.ctx, url)
	if err != nil {
		return err
	}
	defer ground.close()
	made, gone, err := b.write(p, creates, revokes, ground.rate)
	if err != nil {
		return err
	}
	b.report.note("PostgreSQL, creates, 64 clients", made.text(), fmt.Sprintf("%.2f × single-row commits %.0f/s", made.ratio[0], made.raw[0]))
	b.report.note("PostgreSQL, revokes, 64 clients", gone.text(), fmt.Sprintf("%.2f × single-row commits %.0f/s", gone.ratio[0], gone.raw[0]))
	return nil
}

// committer is as many connections as there are clients.
type committer struct {
	ctx   context.Context
	conns []*pgx.Conn
}

func newCommitter(ctx context.Context, url string) (*committer, error) {
	c := &committer{ctx: ctx}
	for range writeConns {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			c.close()
			return nil, err
		}
		c.conns = append(c.conns, conn)
	}
	_, err := c.conns[0].Exec(ctx, "CREATE TABLE bench (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL)")
	return c, err
}

func (c *committer) close() {
	for _, conn := range c.conns {
		_ = conn.Close(context.Background())
	}
}

// rate is how many rows a second PostgreSQL takes, each in a transaction of its own.
func (c *committer) rate() (float64, error) {
	var n atomic.Int64
	began := time.Now()
	end := began.Add(groundTime)
	var g errgroup.Group
	for _, conn := range c.conns {
		g.Go(func() error {
			for time.Now().Before(end) {
				if _, err := conn.Exec(c.ctx, "INSERT INTO bench (body) VALUES ($1)", "one row of an ordinary length, to be committed alone"); err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
	}
	err := g.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), err
}
