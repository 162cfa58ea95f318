package store

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

func TestPostgresErrorsHoldNoPassword(t *testing.T) {
	t.Parallel()
	there, err := url.Parse(postgrestest.NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	const password = "hunter2hunter2"
	there.User = url.UserPassword(there.User.Username(), password)
	for _, address := range []string{
		there.String(), "postgres://u:" + password + "@127.0.0.1:1/x", "postgres://u:" + password + "@127.0.0.1:port/x", "postgres://u:" + password + "@%zz/x",
		"host=127.0.0.1 password=" + password + " port=x",
	} {
		_, err := tryOpen(t, Config{DatabaseURL: address})
		if err == nil || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A server that dies between a commit and its numbering leaves events without numbers; the next one numbers them.
func TestPostgresNumbersWhatACrashLeft(t *testing.T) {
	t.Parallel()
	config := Config{DatabaseURL: postgrestest.NewDatabase(t)}
	s := open(t, config)
	appendOne(t, s, "org_1", "before")
	s.engine.(*postgresEngine).seq.stop()
	for range 3 {
		err := s.Update(t.Context(), "org_1", ForTokens, func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: "tokens", Action: "left"})
			tx.Append(counterfoil.Event{Type: "tokens", Action: "left"})
			return nil
		})
		if !isUnavailable(err) {
			t.Errorf("an update whose events were not numbered: %v", err)
		}
	}
	expectChain(t, s, 1, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, config)
	expectChain(t, s, 7, 0)
	appendOne(t, s, "org_1", "after")
	events, err := s.Follow(t.Context(), 0, 10)
	if err != nil || len(events) != 8 || events[0].Action != "before" || events[6].Action != "left" || events[7].Action != "after" {
		t.Errorf("the log is %+v (%v)", events, err)
	}
	// So does a running one that nobody wakes.
	s.write(t, "org_2", func(tx *Tx) error {
		return insertUnnumbered(tx.q, &counterfoil.Event{ID: NewID("evt"), OrganizationID: tx.org, Type: "tokens", Action: "stray", Timestamp: tx.now.Time()})
	})
	eventually(t, "a stray event is numbered", longest, func() bool {
		n, err := s.LastEvent(t.Context())
		return err == nil && n == 9
	})
	expectChain(t, s, 9, 0)
}

// everything is one call of every kind, each by name.
func everything(ctx context.Context, s *fixture) map[string]error {
	fn := func(tx *Tx) error { return tx.SetSetting("x", "y") }
	look := func(tx *Tx) error { return done1(tx.Policies()) }
	_, _, lookUp := s.LookUp(ctx, tokenID())
	_, follow := s.Follow(ctx, 0, 1)
	_, _, chain := s.VerifyChain(ctx)
	_, _, setting := s.Setting(ctx, "x")
	return map[string]error{
		"Update": s.Update(ctx, "org_1", ForTokens, fn), "Update for rules": s.Update(ctx, "org_1", ForRules, fn), "View": s.View(ctx, "org_1", look),
		"LookUp": lookUp, "Follow": follow, "VerifyChain": chain, "Setting": setting, "Ping": s.Ping(ctx), "RecordUses": s.RecordUses(ctx, []Use{{Token: "x"}}),
	}
}

func TestPostgresLostAndFound(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t, postgrestest.Options{})
	s := open(t, Config{DatabaseURL: server.URL()})
	for name, end := range map[string]func() error{"stopped": server.Stop, "killed": server.Kill} {
		if err := big(s, "org_1"); err != nil {
			t.Fatal(err)
		}
		acknowledged := int(must(s.LastEvent(t.Context())))
		before, ok := s.Alive()
		if !ok {
			t.Fatal("the store is not alive at first")
		}
		begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			ended <- s.Update(context.Background(), "org_1", ForTokens, func(tx *Tx) error {
				tx.Append(counterfoil.Event{Type: "tokens", Action: "token_created"})
				err := tx.InsertToken(newToken(tokenID()))
				close(begun)
				<-release
				return err
			})
		}()
		<-begun
		if err := end(); err != nil {
			t.Fatal(err)
		}
		lost := time.Now()
		close(release)
		open := <-ended // the killed server's last processes may still have committed it, and may have failed to say so
		if open != nil && !isUnavailable(open) {
			t.Errorf("%s under an open transaction: %v", name, open)
		}
		eventually(t, "every call fails", longest, func() bool {
			all := true
			for call, err := range everything(t.Context(), s) {
				all = all && err != nil
				if err != nil && !isUnavailable(err) {
					t.Errorf("%s: %s ended with %v", name, call, err)
				}
			}
			return all
		})
		eventually(t, "the store calls itself alive no more", time.Until(lost.Add(DefaultLease+DefaultLease/4)), func() bool {
			_, ok := s.Alive()
			return !ok
		})
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
		var after uint64
		eventually(t, "the store is alive again", longest, func() bool {
			after, ok = s.Alive()
			return ok
		})
		if after != before { // nothing was missed
			t.Errorf("%s: the epoch was %d and is %d", name, before, after)
		}
		for call, err := range everything(t.Context(), s) {
			if err != nil {
				t.Errorf("%s and started again: %s ended with %v", name, call, err)
			}
		}
		stored := len(tokensOf(t, s, "org_1"))
		if open == nil || stored != acknowledged {
			acknowledged++
		}
		if name == "stopped" && open == nil {
			t.Error("a stopped server rolls back what is open, and the update claims to be committed")
		}
		eventually(t, "every event is numbered", longest, func() bool { return must(s.LastEvent(t.Context())) >= int64(stored) })
		whole(t, s, "org_1", acknowledged)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Writes that wait for one another's locks leave connections for those who read and for the sequencer.
func TestPostgresReadersAreNotStarved(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
	writers := s.engine.(*postgresEngine).db
	release := make(chan struct{})
	var group sync.WaitGroup
	for range maxWriters + 5 {
		group.Go(func() {
			err := s.Update(t.Context(), "org_1", ForRules, func(tx *Tx) error {
				tx.Append(counterfoil.Event{Type: "policies", Action: "policy_updated"})
				return busy(tx, release)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "writes hold every connection that they may", longest, func() bool { return writers.Stats().InUse == maxWriters })
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	if _, _, err := s.LookUp(ctx, tokenID()); err != nil {
		t.Errorf("looking up a token meanwhile: %v", err)
	}
	if _, err := s.engine.(*postgresEngine).seq.wait(ctx); err != nil {
		t.Errorf("numbering meanwhile: %v", err)
	}
	close(release)
	group.Wait()
	expectChain(t, s, maxWriters+5, 0)
}

// TestPostgresHold: a change of the rules of an organization waits for a write in another one that holds it.
func TestPostgresHold(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
	held, release, order := make(chan struct{}), make(chan struct{}), make(chan string, 2)
	var group sync.WaitGroup
	group.Go(func() {
		err := s.Update(t.Context(), "org_customer", ForTokens, func(tx *Tx) error {
			if err := tx.Hold("org_provider"); err != nil {
				return err
			}
			close(held)
			defer func() { order <- "the write" }()
			return busy(tx, release)
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-held
	group.Go(func() {
		err := s.Update(t.Context(), "org_provider", ForRules, func(*Tx) error {
			order <- "the change"
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the change waits", longest, func() bool {
		return read(t, s, "", func(tx *Tx) (n int64, err error) {
			return n, tx.q.row("SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted").Scan(&n)
		}) == 1
	})
	close(release)
	group.Wait()
	if first := <-order; first != "the write" {
		t.Errorf("first came %s", first)
	}
}

func TestPostgresOpenCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, Config{DatabaseURL: postgrestest.NewDatabase(t)}); !errors.Is(err, context.Canceled) {
		t.Errorf("opening under a canceled context: %v", err)
	}
}
