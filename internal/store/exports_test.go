package store

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func testExports(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	want := SplunkExport{URL: "https://c.example:8088", Sealed: []byte{1, 2, 0}, KeyID: 3, Index: "security", Source: "s", Sourcetype: "t", Backfill: true,
		CreatedAt: 1, UpdatedAt: 2, Revision: "rev_1", ExportProgress: ExportProgress{After: 4, DeliveredTo: 5, DeliveredAt: 6, Missing: 7, LastMissing: 8,
			State: "paused", ErrorCode: "code", ErrorDetail: "detail", ErrorAt: 9, NextAttempt: 10}}
	get := func() SplunkExport {
		t.Helper()
		return read(t, s, org, func(tx *Tx) (SplunkExport, error) {
			e, found, err := tx.SplunkExport()
			if !found {
				t.Error("the export is not found")
			}
			return e, err
		})
	}
	s.write(t, org, func(tx *Tx) error { return tx.SetSplunkExport(SplunkExport{URL: "the one before", Revision: "rev_0"}) })
	s.write(t, org, func(tx *Tx) error { return tx.SetSplunkExport(want) })
	if got := get(); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	if orgs, err := s.SplunkExports(t.Context()); err != nil || !slices.Contains(orgs, org) || slices.Contains(orgs, other) {
		t.Errorf("%v, %v; want %s and not %s", orgs, err, org, other)
	}
	for _, step := range []struct {
		revision string
		after    int64
		moves    bool
	}{{"rev_1", 9, true}, {"rev_1", 8, false}, {"rev_0", 10, false}, {"rev_1", 9, true}} {
		p := ExportProgress{After: step.after, DeliveredTo: step.after, ErrorDetail: "moved"}
		s.write(t, org, func(tx *Tx) error {
			moved, err := tx.MoveSplunkExport(step.revision, p)
			if moved != step.moves {
				t.Errorf("to %d at %s: moved is %v", step.after, step.revision, moved)
			}
			return err
		})
	}
	want.ExportProgress = ExportProgress{After: 9, DeliveredTo: 9, ErrorDetail: "moved"}
	if got := get(); !reflect.DeepEqual(got, want) {
		t.Errorf("after the moves: got %+v, want %+v", got, want)
	}
	s.write(t, org, func(tx *Tx) error {
		there, err := tx.DeleteSplunkExport()
		again, _ := tx.DeleteSplunkExport()
		if !there || again {
			t.Errorf("deleted %v, again %v", there, again)
		}
		return err
	})
}

func testEventsBehind(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	log := grow(t, s, org, other, 2*blockSize+300, rand.New(rand.NewPCG(5, 5)))
	if list := read(t, s, org, func(tx *Tx) (EventList, error) { return tx.FindEvents(EventFilter{Limit: 10, Bytes: 1}) }); len(list.Events) != 1 || !list.More {
		t.Errorf("within one byte: %d events, more %v; want one, and more", len(list.Events), list.More)
	}
	look := func() {
		t.Helper()
		for _, i := range []int{0, 1, 100, blockSize - 1, blockSize, blockSize + 1, 2 * blockSize, len(log) - 1, len(log)} {
			number := int64(0)
			if i > 0 {
				number = log[i-1].Number
			}
			oldest := counterfoil.Instant(0)
			if i < len(log) {
				oldest = counterfoil.At(log[i].Timestamp)
			}
			read(t, s, org, func(tx *Tx) (any, error) {
				n, at, err := tx.EventsBehind(number)
				if n != int64(len(log)-i) || at != oldest {
					t.Errorf("behind entry %d: %d since %d, want %d since %d", number, n, at, len(log)-i, oldest)
				}
				return nil, err
			})
		}
	}
	look()
	for range 3 {
		if err := s.CountBlocks(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := read(t, s, org, (*Tx).lastInBlock); n == 0 {
		t.Fatal("no block was counted")
	}
	look()
}
