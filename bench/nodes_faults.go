//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

const (
	stallTime = time.Second
	late      = 50 * time.Millisecond // what a check takes that had to wait for something
)

// stall stops every process of the database for a second, within the lease.
func (b *bench) stall(f *fleet) error {
	pids, err := f.databaseProcesses(b.ctx)
	if err != nil {
		return err
	}
	return b.disturbed(f, fmt.Sprintf("the database stalls for %v", stallTime), func() error {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has ended since stalls nothing
		}
		time.Sleep(stallTime)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
		return nil
	})
}

// databaseRestart stops the database as its operator would, and starts it again.
func (b *bench) databaseRestart(f *fleet) error {
	return b.disturbed(f, "the database is started again", f.database.Restart)
}

// watched is what checks came to in one state of things.
type watched struct {
	mu                   sync.Mutex
	asked, refused, late int
	longest              time.Duration
}

func (w *watched) note(ok bool, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	if !ok {
		w.refused++
	}
	if took > late {
		w.late++
	}
	w.longest = max(w.longest, took)
}

func (w *watched) text() string {
	return fmt.Sprintf("%d of %d refused, %d over %v, longest %.0f ms", w.refused, w.asked, w.late, late, float64(w.longest.Microseconds())/1e3)
}

// disturbed has good tokens checked at every node, in peace and while something happens to the database.
func (b *bench) disturbed(f *fleet, what string, happens func() error) error {
	progress("%s", what)
	var peace, trouble watched
	for _, token := range f.good()[:500] { // each node has seen them
		for _, c := range f.clients {
			if _, err := c.Verify(b.ctx, counterfoil.Question{Token: token, Permissions: []string{asked}}); err != nil {
				return err
			}
		}
	}
	f.watch(b.ctx, &peace, func() error { time.Sleep(stallTime); return nil })
	var away time.Duration
	err := f.watch(b.ctx, &trouble, func() error {
		began := time.Now()
		err := happens()
		away = time.Since(began)
		return err
	})
	if err != nil {
		return err
	}
	b.report.add(row{what: what + ": good tokens refused", value: trouble.text() + fmt.Sprintf("; it was away for %.0f ms", float64(away.Milliseconds())),
		beside: "in peace " + peace.text(), ratio: float64(trouble.refused), unit: "checks", gate: 0, wish: 0})
	return nil
}

// watch checks good tokens at all nodes while something happens.
func (f *fleet) watch(ctx context.Context, w *watched, happens func() error) error {
	ctx, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	for n, c := range f.clients {
		for i := range 2 {
			group.Go(func() {
				for k := i; ctx.Err() == nil; k += 2 {
					began := time.Now()
					v, err := c.Verify(context.WithoutCancel(ctx), counterfoil.Question{Token: f.good()[(k+n)%500], Permissions: []string{asked}})
					w.note(err == nil && v.Active, time.Since(began))
					time.Sleep(time.Millisecond)
				}
			})
		}
	}
	err := happens()
	stop()
	group.Wait()
	return err
}

// databaseProcesses are PostgreSQL's first process and its children.
func (f *fleet) databaseProcesses(ctx context.Context) (pids []int, err error) {
	conn, err := pgx.Connect(ctx, f.database.URL())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	var backend int
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return nil, err
	}
	first := parent(backend)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (pid == first || parent(pid) == first) {
			pids = append(pids, pid)
		}
	}
	if err == nil && (first < 2 || len(pids) < 3) {
		err = fmt.Errorf("the database's processes are not found (%d of %d)", len(pids), first)
	}
	return pids, err
}

// parent is the process that a process was started by; 0: it is gone.
func parent(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
