package registry

import (
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
)

// doubtful holds the events of changes whose commit has an unknown outcome: the database may make one of them true a
// little later, after the caches have forgotten and read the old state again. So they are made to forget again, before
// every later acknowledgement and about once a second, until the database must have decided.
type doubtful struct {
	mu     sync.Mutex
	events []doubt
}

type doubt struct {
	event counterfoil.Event
	until time.Time
}

const (
	doubtLasts = time.Minute // longer than any transaction of ours may run
	maxDoubts  = 100_000
)

// outcomeUnknown stands for the action of a change that may not have happened: what is in memory of its target is
// forgotten and read again, and no record is marked as revoked that may be good.
const outcomeUnknown = "outcome_unknown"

func unsure(events []counterfoil.Event) []counterfoil.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Action = outcomeUnknown
	}
	return events
}

func (r *Registry) doubt(events []counterfoil.Event) {
	d := &r.doubtful
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range events {
		if len(d.events) < maxDoubts {
			d.events = append(d.events, doubt{e, time.Now().Add(doubtLasts)})
		}
	}
}

func (r *Registry) applyDoubtful() {
	d := &r.doubtful
	d.mu.Lock()
	defer d.mu.Unlock()
	now, kept := time.Now(), d.events[:0]
	for i := range d.events {
		r.Applied(&d.events[i].event)
		if now.Before(d.events[i].until) {
			kept = append(kept, d.events[i])
		}
	}
	d.events = kept
}
