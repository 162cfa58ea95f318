package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// behind returns the address of a database behind a proxy.
func behind(t *testing.T, address string) (string, *proxy) {
	t.Helper()
	there := must(url.Parse(address))
	p := newProxy(t, there.Host)
	there.Host = p.listener.Addr().String()
	return there.String(), p
}

// told is what a node was told of the log.
type told struct {
	mu      sync.Mutex
	actions []string
}

func (o *told) follow(events []counterfoil.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range events {
		o.actions = append(o.actions, e.Action)
	}
	return nil
}

func (o *told) has(action string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.actions {
		if a == action {
			return true
		}
	}
	return false
}

// logged appends one event and returns the number for Confirm.
func logged(t *testing.T, s *fixture, action string) int64 {
	t.Helper()
	var last *Tx
	s.write(t, "org_1", func(tx *Tx) error {
		last = tx
		tx.Append(counterfoil.Event{Type: "tokens", Action: action})
		return nil
	})
	return last.Logged()
}

func TestNodesSideBySide(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	a, b := open(t, Config{DatabaseURL: address, Node: "node_a"}), open(t, Config{DatabaseURL: address, Node: "node_b"})
	var heard told
	defer b.Attach(heard.follow)()
	woken := b.Watch("org_1")
	var group sync.WaitGroup
	for _, s := range []*fixture{a, b} {
		for range 4 {
			group.Go(func() {
				for range 10 {
					appendOne(t, s, "org_1", "both")
				}
			})
		}
	}
	group.Wait()
	expectChain(t, a, 80, 0)
	number := logged(t, a, "one")
	if number < 81 {
		t.Errorf("the number is %d", number)
	}
	nodes, err := a.Confirm(t.Context(), number)
	if err != nil || len(nodes) != 1 || nodes[0].Node != "node_b" || nodes[0].Fenced || nodes[0].After <= 0 {
		t.Errorf("confirmed by %+v, %v", nodes, err)
	}
	if !heard.has("one") {
		t.Error("it has confirmed, and nobody told it")
	}
	select {
	case <-woken:
	case <-time.After(longest):
		t.Error("who watches at the other node hears nothing")
	}
	if !a.Leads() || b.Leads() {
		t.Errorf("the first leads: %v, the second: %v", a.Leads(), b.Leads())
	}
	appendOne(t, b, "org_1", "other")
	if nodes, err := b.Confirm(t.Context(), 0); err != nil || len(nodes) != 1 || nodes[0].Node != "node_a" || nodes[0].Fenced {
		t.Errorf("of everything: %+v, %v", nodes, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second leads", longest, b.Leads)
	began := time.Now()
	if nodes, err := b.Confirm(t.Context(), logged(t, b, "two")); err != nil || len(nodes) != 0 || time.Since(began) > DefaultLease {
		t.Errorf("one that signed off is waited for: %+v, %v, after %v", nodes, err, time.Since(began))
	}
}

// TestStanding: a node that does not get on with the log says by how much and since when, and each entry is measured once.
func TestStanding(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	var mu sync.Mutex
	var took []time.Duration
	a := open(t, Config{DatabaseURL: address, Node: "node_a"})
	b := open(t, Config{DatabaseURL: address, Node: "node_b", Lease: MinLease, Propagated: func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		took = append(took, d)
	}})
	measured := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(took) == n
		}
	}
	logged(t, a, "one")
	logged(t, b, "two")
	eventually(t, "two entries are measured", longest, measured(2))
	eventually(t, "nothing is left", longest, func() bool { return b.Standing().Behind == 0 })
	detach := b.Attach(func([]counterfoil.Event) error { return errors.New("not now") })
	began := time.Now()
	logged(t, a, "three")
	logged(t, a, "four")
	apart := time.Since(began) // at most: it is the first of the two that BehindFor counts from
	eventually(t, "it is two behind", longest, func() bool { s := b.Standing(); return s.Behind == 2 && s.BehindFor >= MinLease })
	eventually(t, "the other is not", longest, func() bool { return a.Standing().Behind == 0 })
	detach()
	eventually(t, "nothing is left", longest, func() bool { s := b.Standing(); return s.Behind == 0 && s.BehindFor == 0 })
	if !measured(4)() {
		t.Errorf("measured: %v", took)
	}
	for i, d := range took {
		if d <= 0 || i == 2 && d < MinLease || i == 3 && d < MinLease-apart {
			t.Errorf("entry %d was applied after %v", i+1, d)
		}
	}
}

// A node that is cut off is waited for once, until its lease has run out, and trusts its memory no more by then. When it
// is back it learns what it missed before it trusts anything.
func TestNodeCutOff(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	var log, own lines
	a := open(t, Config{DatabaseURL: address, Node: "node_a", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b := open(t, Config{DatabaseURL: through, Node: "node_b", Lease: time.Second, Logger: slog.New(slog.NewTextHandler(&own, nil))})
	var heard told
	var early atomic.Bool
	defer b.Attach(func(events []counterfoil.Event) error {
		if _, alive := b.Alive(); alive && events[0].Action == "missed" {
			early.Store(true)
		}
		return heard.follow(events)
	})()
	speak := p.silence()
	defer speak()
	began := time.Now()
	nodes, err := a.Confirm(t.Context(), logged(t, a, "missed"))
	if _, alive := b.Alive(); alive {
		t.Error("the change counts as taken note of, and the node that was cut off trusts its memory")
	}
	if err != nil || len(nodes) != 1 || !nodes[0].Fenced {
		t.Errorf("%+v, %v", nodes, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a lease of a second is waited for %v", took)
	}
	eventually(t, "the node is given up", longest, func() bool {
		nodes, err := a.Confirm(t.Context(), 0)
		return err == nil && len(nodes) == 0
	})
	began = time.Now()
	if _, err := a.Confirm(t.Context(), logged(t, a, "missed too")); err != nil || time.Since(began) > time.Second {
		t.Errorf("it is waited for again: %v, %v", time.Since(began), err)
	}
	speak()
	eventually(t, "the node is back", longest, func() bool {
		_, alive := b.Alive()
		if alive && !heard.has("missed too") {
			t.Fatal("it trusts its memory and has not heard what it missed")
		}
		return alive
	})
	if early.Load() {
		t.Error("it was alive before it had heard")
	}
	if nodes, err := a.Confirm(t.Context(), logged(t, a, "again")); err != nil || len(nodes) != 1 || nodes[0].Fenced {
		t.Errorf("afterwards: %+v, %v", nodes, err)
	}
	if said := log.String(); strings.Count(said, "another node has not renewed its lease") != 1 || strings.Count(said, "another node serves the database") != 2 {
		t.Errorf("of a node that came, was lost, and came back the other's log says\n%s", said)
	}
	if said := own.String(); !strings.Contains(said, "this node has not renewed its lease in time") {
		t.Errorf("its own log says\n%s", said)
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A node that ends while those whom it feeds go by what they remember is waited for until its lease is over.
func TestNodeThatFedEnds(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	a := open(t, Config{DatabaseURL: address, Node: "node_a"})
	b := open(t, Config{DatabaseURL: address, Node: "node_b", Lease: time.Second})
	fed := logged(t, a, "known")
	b.Gate(func() int64 { return fed })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	nodes, err := a.Confirm(t.Context(), logged(t, a, "missed"))
	if err != nil || len(nodes) != 1 || nodes[0].Node != "node_b" || !nodes[0].Fenced {
		t.Errorf("confirmed by %+v, %v", nodes, err)
	}
}

// The wall clock of a node goes back and forth: no lease moves, and nothing is waited for.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	a, b := open(t, Config{DatabaseURL: address}), open(t, Config{DatabaseURL: address})
	for _, step := range []time.Duration{time.Hour, -2 * time.Hour, 24 * time.Hour, -24 * time.Hour} {
		b.later(step)
		renewed := b.engine.(*postgresEngine).follower.renewed.Load()
		eventually(t, "the lease is renewed", longest, func() bool { return b.engine.(*postgresEngine).follower.renewed.Load() > renewed })
		for _, s := range []*fixture{a, b} {
			if _, alive := s.Alive(); !alive {
				t.Errorf("after a step of %v a node is not alive", step)
			}
			if nodes, err := s.Confirm(t.Context(), logged(t, s, "step")); err != nil || len(nodes) != 1 || nodes[0].Fenced {
				t.Errorf("after a step of %v: %+v, %v", step, nodes, err)
			}
		}
	}
}

// What a node cannot apply it does not confirm, and its lease runs out.
func TestNodeThatCannotApply(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	a := open(t, Config{DatabaseURL: address})
	b := open(t, Config{DatabaseURL: address, Lease: time.Second})
	var broken atomic.Bool
	broken.Store(true)
	defer b.Attach(func([]counterfoil.Event) error {
		if broken.Load() {
			return errors.New("not now")
		}
		return nil
	})()
	nodes, err := a.Confirm(t.Context(), logged(t, a, "hard"))
	if _, alive := b.Alive(); err != nil || len(nodes) != 1 || !nodes[0].Fenced || alive {
		t.Errorf("%+v, %v; alive: %v", nodes, err, alive)
	}
	broken.Store(false)
	eventually(t, "it is alive again", longest, func() bool { _, alive := b.Alive(); return alive })
}

// A write that was open while its node was fenced comes too late, also when the node has joined again meanwhile.
func TestWriteOfAFencedNode(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	s := open(t, Config{DatabaseURL: address})
	conn := must(pgx.Connect(t.Context(), address))
	defer conn.Close(context.Background())
	begun, hold, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	go func() {
		ended <- s.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
			err := tx.InsertToken(newToken(tokenID()))
			close(begun)
			return errors.Join(err, busy(tx, hold))
		})
	}()
	<-begun
	must(conn.Exec(t.Context(), "UPDATE nodes SET fenced = 1"))
	eventually(t, "the node has joined again", longest, func() bool {
		n := read(t, s, "", func(tx *Tx) (n int64, err error) {
			return n, tx.q.row("SELECT COUNT(*) FROM nodes WHERE fenced = 0").Scan(&n)
		})
		return n == 1
	})
	release()
	if err := <-ended; !isUnavailable(err) {
		t.Errorf("the write ended with %v", err)
	}
	expectTokens(t, s, 0)
	eventually(t, "it writes again", longest, func() bool {
		return s.Update(t.Context(), "org_1", ForTokens, func(*Tx) error { return nil }) == nil
	})
}

func expectTokens(t *testing.T, s *fixture, tokens int) {
	t.Helper()
	if list := tokensOf(t, s, "org_1"); len(list) != tokens {
		t.Errorf("%d tokens are stored, want %d", len(list), tokens)
	}
}

// A moment is settled when no node has a write open that may carry an earlier time.
func TestSettledEverywhere(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	a, b := open(t, Config{DatabaseURL: address}), open(t, Config{DatabaseURL: address})
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- b.Update(context.Background(), "org_1", ForTokens, func(*Tx) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	for _, s := range []*fixture{a, b} {
		s.clock.Add(1_000_000)
	}
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if err := a.Settled(short, epoch+1); !isUnavailable(err) || a.IsSettled(epoch+1) || a.SettledUntil() > epoch {
		t.Errorf("a moment counts as settled while another node has a write of before open: %v", err)
	}
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	if err := a.Settled(ctx, epoch+1); err != nil || !a.IsSettled(epoch+1) {
		t.Error(err)
	}
}

// A log that does not hold what was followed ends the epoch: a standby took over that lacks the end.
func TestAnotherLog(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
	number := logged(t, s, "followed")
	eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
	before, _ := s.Alive()
	reconnect := func() {
		renewed := s.engine.(*postgresEngine).follower.renewed.Load()
		s.write(t, "", func(tx *Tx) error {
			_, err := tx.q.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, soloLock)
			return err
		})
		eventually(t, "the log is followed again", longest, func() bool { return s.engine.(*postgresEngine).follower.renewed.Load() > renewed+int64(rejoinWait) })
	}
	reconnect()
	if after, _ := s.Alive(); after != before {
		t.Errorf("a new connection made epoch %d of %d", after, before)
	}
	s.raw(t, "UPDATE events SET hash = $1 WHERE seq = $2", []byte("another"), number)
	reconnect()
	eventually(t, "a new epoch", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
}

// A backup that is put back into the very database, in one transaction and without a connection being cut, is another log as well:
// it ends the epoch within a lease, before it has grown to where the node was.
func TestLogIsPutBackInPlace(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
	var o told
	s.Attach(o.follow)
	logged(t, s, "in the backup")
	number := logged(t, s, "after it")
	eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
	before, _ := s.Alive()
	s.raw(t, "DELETE FROM events WHERE seq = $1", number)
	eventually(t, "a new epoch", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
	logged(t, s, "after the restore")
	eventually(t, "what has the number of what is gone is applied", longest, func() bool { return o.has("after the restore") })
}

// A log that was put back and has grown past where a node was before that looked for its lease again is another one all the same:
// what has the numbers of what is gone is not passed over.
func TestLogIsPutBackAndHasGrown(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MaxLease}) // which is looked after every 2.5 s
	logged(t, s, "in the backup")
	number := logged(t, s, "after it")
	eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
	before, _ := s.Alive()
	s.raw(t, "DELETE FROM events WHERE seq = $1", number)
	if again := logged(t, s, "in its place"); again != number {
		t.Fatalf("it has the number %d, not %d", again, number)
	}
	last := logged(t, s, "behind that")
	eventually(t, "the end is applied", longest, func() bool { return s.Standing().Applied >= last })
	eventually(t, "a new epoch", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
}

// What retention takes away of the log is the log's own doing: who applied it last goes on.
func TestLastEntryIsRemoved(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MinLease})
	number := logged(t, s, "long ago")
	eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
	before, _ := s.Alive()
	s.write(t, "org_1", func(tx *Tx) error {
		_, err := tx.removePortion(number)
		return err
	})
	time.Sleep(2 * MinLease)
	eventually(t, "it is alive", longest, func() bool { _, alive := s.Alive(); return alive })
	if after, _ := s.Alive(); after != before {
		t.Errorf("what is in memory was forgotten: epoch %d after %d", after, before)
	}
}

// What retention has removed before a node has read it, a node can't read: what it remembers may be older.
func TestEntriesAreRemovedUnread(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	s := open(t, Config{DatabaseURL: address, Lease: MinLease})
	away := open(t, Config{DatabaseURL: through, Lease: MinLease})
	number := logged(t, s, "read")
	eventually(t, "it is applied", longest, func() bool { return away.Standing().Applied >= number })
	before, _ := away.Alive()
	back := p.silence()
	number = logged(t, s, "not read")
	s.write(t, "org_1", func(tx *Tx) error {
		_, err := tx.removePortion(number)
		return err
	})
	back()
	eventually(t, "what is in memory is forgotten", longest, func() bool { after, alive := away.Alive(); return alive && after != before })
}

// A node that is gone is said to be, also where no change waits for it.
func TestNodeThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	var log lines
	open(t, Config{DatabaseURL: address, Node: "node_a", Lease: MinLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	open(t, Config{DatabaseURL: through, Node: "node_b", Lease: MinLease})
	eventually(t, "the other is known", longest, func() bool { return strings.Contains(log.String(), "another node serves the database") })
	defer p.silence()()
	eventually(t, "it is said", longest, func() bool { return strings.Contains(log.String(), "another node has not renewed its lease") })
}

// A version that must run alone and nodes exclude each other.
func TestPostgresServedAlone(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	conn := must(pgx.Connect(t.Context(), address))
	defer conn.Close(context.Background())
	take := func(held bool) {
		t.Helper()
		var got bool
		if err := conn.QueryRow(t.Context(), "SELECT pg_try_advisory_lock($1)", soloLock).Scan(&got); err != nil || got != held {
			t.Fatalf("the lock is taken: %v, %v", got, err)
		}
	}
	take(true)
	if _, err := tryOpen(t, Config{DatabaseURL: address}); err == nil || !strings.Contains(err.Error(), "must run alone") {
		t.Errorf("beside one that must run alone: %v", err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_unlock($1)", soloLock); err != nil {
		t.Fatal(err)
	}
	open(t, Config{DatabaseURL: address})
	take(false)
}

func TestLeaseBounds(t *testing.T) {
	for _, lease := range []time.Duration{MinLease - 1, MaxLease + 1, -time.Second} {
		if _, err := Open(t.Context(), Config{Dir: t.TempDir(), Lease: lease}); err == nil {
			t.Errorf("a lease of %v is taken", lease)
		}
	}
}

// A database that is silent, rather than gone, is not to be trusted either.
func TestPostgresSilent(t *testing.T) {
	t.Parallel()
	there := must(url.Parse(postgrestest.NewDatabase(t)))
	p := newProxy(t, there.Host)
	there.Host = p.listener.Addr().String()
	s := open(t, Config{DatabaseURL: there.String()})
	before, ok := s.Alive()
	if !ok {
		t.Fatal("the store is not alive at first")
	}
	speak := p.silence()
	defer speak()
	silent := time.Now()
	eventually(t, "the store calls itself alive no more", time.Until(silent.Add(DefaultLease+DefaultLease/4)), func() bool {
		_, ok := s.Alive()
		return !ok
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, found, err := s.LookUp(ctx, tokenID()); !isUnavailable(err) || found {
		t.Errorf("looking up a token: %v, %v", found, err)
	}
	if err := s.Update(t.Context(), "org_1", ForTokens, func(*Tx) error { return nil }); !isUnavailable(err) {
		t.Errorf("a write: %v", err)
	}
	speak()
	var after uint64
	eventually(t, "the store is alive again", longest, func() bool {
		after, ok = s.Alive()
		return ok
	})
	if after != before {
		t.Errorf("the epoch was %d and is %d", before, after)
	}
	appendOne(t, s, "org_1", "again")
}

// proxy forwards connections, or keeps them open and lets nothing through.
type proxy struct {
	listener net.Listener
	gate     sync.RWMutex // held exclusively while silent
	group    sync.WaitGroup
	trap     atomic.Pointer[trap]
	pace     atomic.Int64 // how many nanoseconds a full buffer takes
}

type trap struct {
	text string
	shut chan func()
}

func newProxy(t *testing.T, target string) *proxy {
	p := &proxy{listener: must(net.Listen("tcp", "127.0.0.1:0"))}
	t.Cleanup(func() {
		p.listener.Close()
		p.group.Wait()
	})
	p.group.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				client.Close()
				continue
			}
			p.group.Go(func() { p.forward(client, server) })
			p.group.Go(func() { p.forward(server, client) })
		}
	})
	return p
}

// silence lets nothing through until the function that it returns is called.
func (p *proxy) silence() (speak func()) {
	p.gate.Lock()
	return sync.OnceFunc(p.gate.Unlock)
}

// cutAt lets nothing through from the moment on at which a text is about to pass, until the function that comes then is called.
func (p *proxy) cutAt(text string) <-chan func() {
	t := &trap{text, make(chan func(), 1)}
	p.trap.Store(t)
	return t.shut
}

func (p *proxy) forward(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if t := p.trap.Load(); t != nil && bytes.Contains(buffer[:n], []byte(t.text)) && p.trap.CompareAndSwap(t, nil) {
			t.shut <- p.silence()
		}
		time.Sleep(time.Duration(p.pace.Load() * int64(n) / int64(len(buffer))))
		p.gate.RLock()
		_, failed := to.Write(buffer[:n])
		p.gate.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}
