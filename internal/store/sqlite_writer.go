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

// sqliteWriter is the one writer: it runs the waiting writes one after the other in a single transaction and commits
// them together (group commit). While a commit waits for the disk the next writes gather.
type sqliteWriter struct {
	conn *sqliteConn
	jobs chan *writeJob
	done chan struct{}
	once sync.Once
	mu   sync.RWMutex // held shared while a job is being sent, so that stop can close jobs
	shut bool

	head    head // of the log as committed
	memo    *memo
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
	w := &sqliteWriter{conn: conn, jobs: make(chan *writeJob, maxBatch), done: make(chan struct{}), memo: newMemo()}
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
		return failure{errClosed}
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
		err := w.gather(&batch)
		if errors.Is(err, errSpoiled) {
			w.undo()
			err = w.again(batch)
		}
		if err != nil {
			w.undo()
			w.head.unknown = true
		}
		for _, job := range batch {
			if err != nil {
				job.err = failure{err}
			}
			close(job.end)
		}
	}
}

// errSpoiled says that a job failed after it had written, or that the system did: its part must be undone, and so
// everybody's.
var errSpoiled = errors.New("a write failed half-way")

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

// gather runs the first job and every other that is waiting, and commits them. A job that is refused before it writes
// anything fails alone. Savepoints would let the others go on here as well, but cost every write more than all of its
// own statements' overhead; jobs that fail after writing are rare.
func (w *sqliteWriter) gather(batch *[]*writeJob) error {
	if err := w.begin(); err != nil {
		return err
	}
	next := w.head
	for i := 0; ; i++ {
		job, wrote := (*batch)[i], w.conn.writes
		after, err := w.attempt(job, next)
		switch {
		case err == nil:
			next = after
		case w.conn.writes == wrote && !isFailure(unavailableUnlessOurs(err)):
			job.err = err
		default:
			return errSpoiled
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
	return w.commit(next)
}

// again runs a batch once more, each job inside a savepoint, so that the one that fails is undone alone.
func (w *sqliteWriter) again(batch []*writeJob) error {
	if err := w.begin(); err != nil {
		return err
	}
	next := w.head
	for _, job := range batch {
		job.err = nil
		if _, err := w.conn.exec("SAVEPOINT job"); err != nil {
			return err
		}
		after, err := w.attempt(job, next)
		if err == nil {
			next = after
		} else {
			job.err = unavailableUnlessOurs(err)
			w.memo.forget()
			if _, err := w.conn.exec("ROLLBACK TO job"); err != nil {
				return err
			}
		}
		if _, err := w.conn.exec("RELEASE job"); err != nil {
			return err
		}
	}
	return w.commit(next)
}

func (w *sqliteWriter) commit(next head) error {
	if _, err := w.conn.exec("COMMIT"); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	w.head = next
	w.commits.Add(1)
	return nil
}

func (w *sqliteWriter) attempt(job *writeJob, h head) (_ head, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	q := &jobQuerier{sqliteConn: w.conn}
	tx := &Tx{q: q, memo: w.memo}
	if err := job.fn(tx); err != nil {
		return h, err
	}
	if q.failed != nil {
		return h, failure{fmt.Errorf("a statement failed and was passed over: %w", q.failed)}
	}
	for i := range tx.events {
		if h, err = insertNumbered(w.conn, h, &tx.events[i]); err != nil {
			return h, err
		}
		tx.logged = h.number
	}
	return h, nil
}

// jobQuerier remembers a failed statement: as on PostgreSQL, its transaction cannot be committed. (SQLite itself may have
// rolled everything back, and would run what follows outside any transaction.)
type jobQuerier struct {
	*sqliteConn
	failed error
}

func (q *jobQuerier) exec(query string, args ...any) (int64, error) {
	n, err := q.sqliteConn.exec(query, args...)
	if err != nil && q.failed == nil {
		q.failed = err
	}
	return n, err
}

func (w *sqliteWriter) undo() {
	w.memo.forget()
	_, _ = w.conn.exec("ROLLBACK") // fails where SQLite rolled back by itself
}

func isFailure(err error) bool {
	var f failure
	return errors.As(err, &f)
}

// unavailableUnlessOurs keeps refusals as they are and marks everything else as the system failing.
func unavailableUnlessOurs(err error) error {
	var refusal *counterfoil.Error
	if errors.As(err, &refusal) {
		return err
	}
	return unavailable(err)
}
