package export

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hectest"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick is the usual pace, a thousand times as fast.
var quick = pace{events: 100, bytes: 64 << 10, flight: 4, linger: time.Millisecond, ask: time.Millisecond, slowAsk: 10 * time.Millisecond,
	indexedWithin: time.Minute, busy: time.Millisecond, busyMax: 20 * time.Millisecond, refused: 10 * time.Millisecond,
	refusedMax: 50 * time.Millisecond, storage: 5 * time.Millisecond}

// world is a store with organizations, and a pusher that can be stopped and started.
type world struct {
	t      *testing.T
	store  *store.Store
	way    Way
	pusher *Pusher
	stop   func()
	pace   pace
	n      int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), store.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.CreateKeyring(filepath.Join(dir, "instance.key"))
	if err != nil {
		t.Fatal(err)
	}
	client := outgoing.New(outgoing.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	w := &world{t: t, store: s, way: Way{Keys: keys, Client: client, Host: "tokens.example.com"}, pace: quick}
	w.start()
	t.Cleanup(func() {
		w.stop()
		client.Close()
		s.Close()
	})
	return w
}

func (w *world) start() {
	w.t.Helper()
	w.pusher = New(Config{Way: &w.way, Store: w.store, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	w.pusher.pace = w.pace
	w.run()
}

// run has the pusher run until stop is called.
func (w *world) run() {
	w.t.Helper()
	ctx, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	p := w.pusher
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	w.stop = func() {
		end()
		<-done
	}
	w.eventually("the pusher runs", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.runners != nil
	})
}

// interrupt ends the pusher in whatever it does and starts another.
func (w *world) interrupt() {
	w.stop()
	w.start()
}

func (w *world) organization() string {
	w.t.Helper()
	id := store.NewID("org")
	w.write(id, func(tx *store.Tx) error {
		return tx.InsertOrganization(counterfoil.Organization{ID: id, Slug: store.UUID(id), Name: "Example", Status: counterfoil.OrgActive})
	})
	return id
}

func (w *world) write(org string, fn func(*store.Tx) error) {
	w.t.Helper()
	var events []counterfoil.Event
	err := w.store.Update(w.t.Context(), org, store.ForRules, func(tx *store.Tx) error {
		err := fn(tx)
		events = tx.Appended()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range events {
		w.pusher.Apply(&events[i])
	}
}

// export sets an organization's export, as an operation of the registry does.
func (w *world) export(org, url, token string, change ...func(*store.SplunkExport)) {
	w.t.Helper()
	w.write(org, func(tx *store.Tx) error {
		e, _, err := tx.SplunkExport()
		if err != nil {
			return err
		}
		e.URL, e.Revision, e.State, e.NextAttempt, e.Sourcetype = url, store.NewID("rev"), "", 0, "counterfoil:activity"
		if err := w.way.Seal(org, &e, token); err != nil {
			return err
		}
		for _, c := range change {
			c(&e)
		}
		tx.Append(counterfoil.Event{Type: "integrations", Action: "splunk_export_updated"})
		return tx.SetSplunkExport(e)
	})
}

// log writes n events of an organization.
func (w *world) log(org string, n int) {
	w.t.Helper()
	w.write(org, func(tx *store.Tx) error {
		for range n {
			w.n++
			tx.Append(counterfoil.Event{Type: "devices", Action: "restarted", Metadata: json.RawMessage(fmt.Sprintf(`{"n":%d}`, w.n))})
		}
		return nil
	})
}

func (w *world) state(org string) (e store.SplunkExport) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), org, func(tx *store.Tx) (err error) {
		e, _, err = tx.SplunkExport()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) ids(org string) (ids []string) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), org, func(tx *store.Tx) error {
		list, err := tx.FindEvents(store.EventFilter{Limit: 1_000_000})
		for _, e := range list.Events {
			ids = append(ids, e.ID)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

// eventually looks again and again, as what it waits for happens elsewhere.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			w.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func last(ids []string) int { return len(ids) - 1 }

// whole asks that, with repetitions left out, a collector holds the organization's log: no hole, no double, in order.
func (w *world) whole(org string, c *hectest.Collector) {
	w.t.Helper()
	want := w.ids(org)
	w.eventually("the end of the log is delivered", func() bool { e := w.state(org); return len(want) > 0 && e.After > 0 && w.behind(org, e.After) == 0 })
	if got := distinct(c.Events()); !slices.Equal(got, want) {
		w.t.Fatalf("the collector has %d events, the log %d, and they are not the same", len(got), len(want))
	}
}

func (w *world) behind(org string, after int64) (n int64) {
	w.t.Helper()
	err := w.store.View(w.t.Context(), org, func(tx *store.Tx) (err error) {
		n, _, err = tx.EventsBehind(after)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// distinct is what a search has after dedup id, in the order of the log.
func distinct(events []hectest.Event) (ids []string) {
	numbers := map[string]float64{}
	for _, e := range events {
		if _, double := numbers[e.ID()]; !double {
			ids = append(ids, e.ID())
		}
		numbers[e.ID()], _ = e.Event["number"].(float64)
	}
	slices.SortStableFunc(ids, func(a, b string) int { return int(numbers[a] - numbers[b]) })
	return ids
}
