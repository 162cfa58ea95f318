package store

import (
	"context"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// A node catches up whatever is in the entries that it missed, of which each may be a megabyte, and however slow the way is.
func TestCatchesUpWithLargeEntries(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	through, p := behind(t, address)
	a, b := open(t, Config{DatabaseURL: address}), open(t, Config{DatabaseURL: through})
	metadata := must(json.Marshal(map[string]string{"x": strings.Repeat("text ", 200_000)}))
	speak := p.silence()
	defer speak()
	for range 12 { // each by itself: a transaction that is silent for as long as all take to write is ended
		a.write(t, "org_1", func(tx *Tx) error {
			tx.Append(counterfoil.Event{Type: "product", Action: "large", Metadata: metadata})
			return nil
		})
	}
	eventually(t, "it is given up", longest, func() bool { _, alive := b.Alive(); return !alive })
	p.pace.Store(int64(10 * time.Millisecond)) // some 3 MB a second: all at once take longer than a node is patient
	speak()
	eventually(t, "it is alive again", longest, func() bool { _, alive := b.Alive(); return alive })
	logged(t, b, "it writes")
}

// What is in memory is given up where it is far behind, or has been so for long.
func TestFarBehind(t *testing.T) {
	t.Parallel()
	s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t)})
	last := logged(t, s, "the end")
	conn := must(pgx.Connect(t.Context(), s.engine.(*postgresEngine).follower.config.ConnString()))
	defer conn.Close(context.Background())
	for _, c := range []struct {
		name    string
		applied int64
		long    time.Duration
		forgets bool
	}{
		{"a little", 0, 0, false}, {"for long", 0, 2 * MaxLease, true}, {"far", last - followMost - 1, 0, true},
	} {
		f := &follower{start: time.Now()}
		f.applied.Store(c.applied)
		if target, err := f.target(t.Context(), conn, f.now()-c.long); err != nil || target != last || (f.epoch.Load() > 0) != c.forgets || c.forgets && f.applied.Load() != last {
			t.Errorf("%s: to %d of %d, at %d in epoch %d, %v", c.name, target, last, f.applied.Load(), f.epoch.Load(), err)
		}
	}
}

// An entry that is none, as when somebody has written into the table, has everything forgotten, and stops nobody: no node, nor verifiers
// and the ledger, which read for themselves.
func TestEntryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	address := postgrestest.NewDatabase(t)
	var log lines
	s := open(t, Config{DatabaseURL: address, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	var strange atomic.Int64
	var heard told
	defer s.Attach(func(events []counterfoil.Event) error {
		for _, e := range events {
			if e.Target.Kind == DamagedKind && e.OrganizationID == "" {
				strange.Store(e.Number)
			}
		}
		return heard.follow(events)
	})()
	for _, body := range []string{"no JSON", `{"timestamp":"then"}`} {
		before, _ := s.Alive()
		s.raw(t, "INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ($1,'org_1','tokens','token_revoked',1,'','',$2)", NewID("evt"), body)
		eventually(t, "everything is forgotten", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
		number := logged(t, s, "after "+body)
		eventually(t, "it goes on", longest, func() bool { return heard.has("after " + body) })
		if got := strange.Load(); got != number-1 {
			t.Errorf("the strange entry is %d, the next %d", got, number)
		}
	}
	whole := must(s.Follow(t.Context(), 0, 10))
	var ended []counterfoil.Event
	err := s.FollowActions(t.Context(), 0, 10, []string{"token_revoked"}, func(list []counterfoil.Event) error { ended = append(ended, list...); return nil })
	if err != nil || len(whole) != 4 || len(ended) != 2 {
		t.Fatalf("who reads it himself is told of %d entries, of %d by their action, %v", len(whole), len(ended), err)
	}
	for i, e := range []counterfoil.Event{whole[0], whole[2]} {
		if e.Target.Kind != DamagedKind || e.OrganizationID != "" || len(e.Hash) == 0 || !reflect.DeepEqual(e, ended[i]) {
			t.Errorf("he is told %+v and %+v", e, ended[i])
		}
	}
	if said := log.String(); strings.Count(said, "level=ERROR") != 2 || !strings.Contains(said, "entry=1 ") {
		t.Errorf("its log says\n%s", said)
	}
}
