package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/counterfoil/counterfoil"
)

// sqliteWriter is the one writer: it runs the waiting writes one after the other in a single transaction, each inside a
// savepoint, and commits them together (group commit). While a commit waits for the disk the next writes gather.
type sqliteWriter struct {
	conn *sqliteConn
	jobs chan *writeJob
	done chan struct{}
	once sync.Once
	mu   sync.RWMutex // held shared while a job is being sent, so that stop can close jobs
	shut bool

	head    head         // of the log as committed
	commits atomic.Int64 // since the start
}

type writeJob struct {
	fn  func(*Tx) error
	err error
	end chan struct{}
}

// maxBatch bounds how many writes share a commit, so that the first does not wait long for the last.
const maxBatch = 256

func startWriter(conn *sqliteConn) (*sqliteWriter, error) {
	w := &sqliteWriter{conn: conn, jobs: make(chan *writeJob, maxBatch), done: make(chan struct{})}
	if err := w.loadHead(); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

func (w *sqliteWriter) loadHead() error {
	h, err := lastEntry(w.conn)
	w.head = h
	return err
}

func (w *sqliteWriter) do(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return failure{err}
	}
	job := &writeJob{fn: fn, end: make(chan struct{})}
	w.mu.RLock()
	if w.shut {
		w.mu.RUnlock()
		return failure{errors.New("the store is closed")}
	}
	w.jobs <- job
	w.mu.RUnlock()
	<-job.end // not the context: a write that has begun is waited for, so that its outcome is known
	return job.err
}

func (w *sqliteWriter) stop() {
	w.once.Do(func() {
		w.mu.Lock()
		w.shut = true
		close(w.jobs)
		w.mu.Unlock()
		<-w.done
		w.conn.drop()
	})
}

func (w *sqliteWriter) run() {
	defer close(w.done)
	batch := make([]*writeJob, 0, maxBatch)
	for first := range w.jobs {
		batch = append(batch[:0], first)
		err := w.begin()
		if err == nil {
			err = w.fill(&batch)
		}
		if err != nil {
			w.rollback()
		}
		for _, job := range batch {
			if err != nil {
				job.err = failure{err}
			}
			close(job.end)
		}
	}
}

// begin opens the transaction. After a failure it may have to learn the head of the log again.
func (w *sqliteWriter) begin() error {
	if w.head.unknown {
		if err := w.loadHead(); err != nil {
			w.head.unknown = true
			return err
		}
	}
	_, err := w.conn.exec("BEGIN IMMEDIATE")
	return err
}

// fill runs the first job and every other that is waiting, and commits. An error fails the whole batch.
func (w *sqliteWriter) fill(batch *[]*writeJob) error {
	next := w.head
	for i := 0; ; i++ {
		if err := w.runJob((*batch)[i], &next); err != nil {
			return err
		}
		if len(*batch) == maxBatch {
			break
		}
		select {
		case job, ok := <-w.jobs:
			if ok {
				*batch = append(*batch, job)
				continue
			}
		default:
		}
		break
	}
	if _, err := w.conn.exec("COMMIT"); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	w.head = next
	w.commits.Add(1)
	return nil
}

// runJob runs one write inside a savepoint. The job's own error undoes that job alone; a returned error means that the
// transaction is lost.
func (w *sqliteWriter) runJob(job *writeJob, next *head) error {
	if _, err := w.conn.exec("SAVEPOINT job"); err != nil {
		return err
	}
	after, err := w.attempt(job, *next)
	if err == nil {
		*next = after
		_, err := w.conn.exec("RELEASE job")
		return err
	}
	job.err = unavailableUnlessOurs(err)
	if _, err := w.conn.exec("ROLLBACK TO job"); err != nil {
		return err
	}
	_, err = w.conn.exec("RELEASE job")
	return err
}

func (w *sqliteWriter) attempt(job *writeJob, h head) (_ head, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	tx := &Tx{q: w.conn}
	if err := job.fn(tx); err != nil {
		return h, err
	}
	for i := range tx.events {
		if h, err = insertNumbered(w.conn, h, &tx.events[i]); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (w *sqliteWriter) rollback() {
	w.head.unknown = true
	_, _ = w.conn.exec("ROLLBACK") // fails where SQLite rolled back by itself
}

// unavailableUnlessOurs keeps refusals as they are and marks everything else as the system failing.
func unavailableUnlessOurs(err error) error {
	var refusal *counterfoil.Error
	if errors.As(err, &refusal) {
		return err
	}
	return unavailable(err)
}
