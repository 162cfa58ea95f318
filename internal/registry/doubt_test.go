package registry

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestUnknownOutcomes: what a commit of unknown outcome may have changed is forgotten again before anything else is
// acknowledged.
func TestUnknownOutcomes(t *testing.T) {
	s, err := store.Open(t.Context(), store.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var applied []string
	r := New(Config{Store: s, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(e *counterfoil.Event) {
		applied = append(applied, e.Target.ID)
		if unknown := strings.HasPrefix(e.Target.ID, "lost"); unknown != (e.Action == outcomeUnknown) {
			t.Errorf("of %s the caches are told %s", e.Target.ID, e.Action)
		}
	}})
	change := func(id string, end error) error {
		applied = nil
		_, err := r.do(t.Context(), Operator(), "", OpApplyCatalogue, func(w *work) error {
			w.record("catalogue", "catalogue_applied", counterfoil.Target{Kind: "catalogue", ID: id}, nil)
			return end
		})
		return err
	}
	for _, step := range []struct {
		id   string
		end  error
		want []string
	}{
		{"first", nil, []string{"first"}},
		{"refused", errNotFound, nil},
		{"lost", errors.New("the connection broke"), []string{"lost", "lost"}},
		{"next", nil, []string{"next", "lost"}},
		{"lost too", errors.New("the connection broke"), []string{"lost too", "lost", "lost too"}},
		{"last", nil, []string{"last", "lost", "lost too"}},
	} {
		if err := change(step.id, step.end); (err == nil) != (step.end == nil) {
			t.Fatalf("%s: %v", step.id, err)
		}
		if !slices.Equal(applied, step.want) {
			t.Errorf("%s: told of %q before the answer, want %q", step.id, applied, step.want)
		}
	}
	r.doubtful.events[0].until = time.Now().Add(-time.Second)
	for i, want := range [][]string{{"lost", "lost too"}, {"lost too"}} { // once more when its time is over, then no more
		applied = nil
		if err := r.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(applied, want) {
			t.Errorf("tick %d: told of %q, want %q", i, applied, want)
		}
	}
	r.doubt(make([]counterfoil.Event, maxDoubts+7))
	if n := len(r.doubtful.events); n != maxDoubts {
		t.Errorf("%d doubtful events are held, want %d at most", n, maxDoubts)
	}
}
