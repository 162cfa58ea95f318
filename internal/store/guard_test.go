package store

import (
	"context"
	"database/sql"
	"math"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// The lock goes to another server, as it does when the network drops just the connection that held it. The first one
// must notice, may finish what it had begun before the other serves, and writes nothing after.
func TestPostgresServerLockLost(t *testing.T) {
	t.Parallel()
	config := Config{DatabaseURL: postgrestest.NewDatabase(t)}
	s := open(t, config)
	g := s.engine.(*postgresEngine).guard
	before, _ := s.Alive()
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
			err := tx.InsertToken(newToken(tokenID()))
			close(begun)
			<-release
			return err
		})
	}()
	<-begun
	other := &guard{id: "srv_other", config: must(pgx.ParseConfig(config.DatabaseURL)), start: time.Now(), conn: snatch(t, config.DatabaseURL)}
	other.db = must(sql.Open("pgx", config.DatabaseURL))
	defer other.db.Close()
	lost := time.Now()
	serves := make(chan error, 1)
	go func() { serves <- other.serve(context.Background()) }()

	eventually(t, "the first server notices", time.Until(lost.Add(guardLease+guardLease/4)), func() bool {
		_, ok := s.Alive()
		return !ok
	})
	nothing := func(*Tx) error { return nil }
	if err := s.Update(t.Context(), "org_1", ForTokens, nothing); !isUnavailable(err) {
		t.Errorf("a write of a server that is not alive: %v", err)
	}
	eventually(t, "the other server waits for the open write", longest, func() bool {
		var n int
		err := other.db.QueryRow("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted", guardFence).Scan(&n)
		return err == nil && n == 1
	})
	if _, ok := other.alive(); ok {
		t.Error("the other server serves while the first one can still commit")
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("the open write: %v", err)
	}
	if err := <-serves; err != nil {
		t.Fatal(err)
	}
	if _, ok := other.alive(); !ok {
		t.Error("the other server is not alive")
	}

	// One that believes itself alive, because it was paused after it had looked, is kept from committing.
	g.until.Store(math.MaxInt64)
	err := s.Update(t.Context(), "org_1", ForTokens, func(tx *Tx) error { return tx.InsertToken(newToken(tokenID())) })
	g.until.Store(0)
	if !isUnavailable(err) {
		t.Errorf("a write behind the other server's back: %v", err)
	}
	expectTokens(t, s, 1)

	// The other one is lost without signing off: its lease is waited out.
	gone := time.Now()
	other.stop()
	var after uint64
	eventually(t, "the first server has the lock again", longest, func() (ok bool) {
		after, ok = s.Alive()
		return ok
	})
	if took := time.Since(gone); took < guardLease || after <= before {
		t.Errorf("alive again after %v, which is within the other's lease; epoch %d, was %d", took, after, before)
	}
	if err := s.Update(t.Context(), "org_1", ForTokens, nothing); err != nil {
		t.Error(err)
	}
}

// snatch takes the server lock from the store that holds it, by ending its connection.
func snatch(t *testing.T, address string) *pgx.Conn {
	t.Helper()
	conn, helper := must(pgx.Connect(t.Context(), address)), must(pgx.Connect(t.Context(), address))
	defer helper.Close(context.Background())
	locked := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "SELECT pg_advisory_lock($1)", guardLock)
		locked <- err
	}()
	const holders = "FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND objsubid = 1 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
	eventually(t, "somebody waits for the lock", longest, func() bool {
		var n int
		err := helper.QueryRow(t.Context(), "SELECT COUNT(*) "+holders+" AND NOT granted", guardLock).Scan(&n)
		return err == nil && n == 1
	})
	if _, err := helper.Exec(t.Context(), "SELECT pg_terminate_backend(pid) "+holders+" AND granted", guardLock); err != nil {
		t.Fatal(err)
	}
	if err := <-locked; err != nil {
		t.Fatal(err)
	}
	return conn
}

func expectTokens(t *testing.T, s *fixture, tokens int) {
	t.Helper()
	if list := tokensOf(t, s, "org_1"); len(list) != tokens {
		t.Errorf("%d tokens are stored, want %d", len(list), tokens)
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
	eventually(t, "the store calls itself alive no more", time.Until(silent.Add(guardLease+guardLease/4)), func() bool {
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
	if after < before {
		t.Errorf("the epoch was %d and is %d", before, after)
	}
	appendOne(t, s, "org_1", "again")
}

// proxy forwards connections, or keeps them open and lets nothing through.
type proxy struct {
	listener net.Listener
	gate     sync.RWMutex // held exclusively while silent
	group    sync.WaitGroup
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

func (p *proxy) forward(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.gate.RLock()
		_, failed := to.Write(buffer[:n])
		p.gate.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}
