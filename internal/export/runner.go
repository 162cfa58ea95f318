package export

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hec"
	"github.com/counterfoil/counterfoil/internal/store"
)

// runner delivers one organization's log. One goroutine owns all of it but changed.
type runner struct {
	*Pusher
	org     string
	changed chan struct{} // the settings are to be read again

	export    store.SplunkExport
	collector *hec.Collector
	faults    int // in a row

	added  <-chan struct{} // closed once there is more to read than was read
	read   int64           // the last entry that is in todo, in flight, or behind us
	todo   []piece
	flight []sent
	ackID  int64 // the last one of this channel; -1: none yet
	asked  int   // questions in a row to which nothing was indexed
	askAt  time.Time
}

const forever = time.Duration(1<<63 - 1)

func (r *runner) run(ctx context.Context) {
	for ctx.Err() == nil {
		if !r.Store.Leads() { // one node delivers
			r.wait(ctx, time.Second, nil)
			continue
		}
		found, err := r.load(ctx)
		rest := time.Duration(0)
		switch {
		case err == nil && !found:
			if r.retire(r) {
				return
			}
		case err == nil:
			rest, err = r.deliver(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.Logger.Warn("pushing events; it is tried again", "organization", r.org, "error", err)
			rest = r.pace.storage
		}
		r.wait(ctx, rest, nil)
	}
}

func (r *runner) load(ctx context.Context) (found bool, err error) {
	err = r.Store.View(ctx, r.org, func(tx *store.Tx) (err error) {
		o, known, err := tx.CurrentOrganization()
		if err != nil || !known || o.Deleted {
			return err
		}
		r.export, found, err = tx.SplunkExport()
		return err
	})
	return found, err
}

// wait waits for the time, for more to read, for a change of the settings, or for the end. It reports whether the settings
// changed.
func (r *runner) wait(ctx context.Context, d time.Duration, added <-chan struct{}) (changed bool) {
	if d <= 0 {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-r.changed:
		return true
	case <-timer.C:
	case <-added:
	}
	return false
}

// deliver goes on from the kept cursor until the settings change, something is wrong, or ctx ends. It returns how long to wait
// before the next try. An error is our own storage's.
func (r *runner) deliver(ctx context.Context) (rest time.Duration, err error) {
	if r.export.State == "" {
		r.faults = 0
	} else if ahead := r.export.NextAttempt.Time().Sub(r.Store.Now().Time()); ahead > 0 && r.faults == 0 {
		r.faults = 1
		return min(ahead, r.pace.refusedMax), nil // this process has only just begun
	}
	if r.collector, err = r.Collector(r.org, &r.export); err != nil {
		return r.fail(ctx, err)
	}
	r.read, r.todo, r.flight, r.asked, r.added, r.ackID = r.export.After, nil, nil, 0, nil, -1
	for ctx.Err() == nil && r.Store.Leads() {
		changed, err := r.step(ctx)
		if err != nil {
			return r.fail(ctx, err)
		}
		if changed {
			return 0, nil
		}
	}
	return 0, nil
}

// step does the next thing: asks about batches, sends one, or waits.
func (r *runner) step(ctx context.Context) (changed bool, err error) {
	select {
	case <-r.changed:
		return true, nil
	default:
	}
	if len(r.flight) > 0 && !time.Now().Before(r.askAt) {
		return false, r.ask(ctx)
	}
	if len(r.flight) >= r.pace.flight {
		return r.wait(ctx, time.Until(r.askAt), nil), nil
	}
	if len(r.todo) == 0 {
		if err := r.fill(ctx); err != nil {
			return false, err
		}
	}
	if len(r.todo) > 0 {
		return false, r.send(ctx)
	}
	idle := forever
	if len(r.flight) > 0 {
		idle = time.Until(r.askAt)
	}
	if r.wait(ctx, idle, r.added) {
		return true, nil
	}
	select {
	case <-r.added:
		return r.wait(ctx, r.pace.linger, nil), nil
	default:
		return false, nil
	}
}

// fail notes a fault and says how long to wait. What is no fault of the collector's is passed on.
func (r *runner) fail(ctx context.Context, err error) (rest time.Duration, _ error) {
	var fault *hec.Fault
	if ctx.Err() != nil {
		return 0, nil
	}
	if !errors.As(err, &fault) {
		return 0, err
	}
	state, first, longest := "retrying", r.pace.busy, r.pace.busyMax
	if fault.Kind == hec.Refused {
		state, first, longest = "paused", r.pace.refused, r.pace.refusedMax
	}
	rest = min(first<<min(r.faults, 20), longest)
	rest = max(rest/2+rand.N(rest/2+1), fault.After)
	r.faults++
	r.tell(fault.Code, fault.Detail)
	r.export.State, r.export.NextAttempt = state, r.Store.Now()+counterfoil.Instant(rest/time.Microsecond)
	if errors.Is(err, errNoToken) {
		rest, r.export.NextAttempt = forever, 0
	}
	r.Logger.Info("a collector did not take events", "organization", r.org, "code", fault.Code, "again_in", rest.String())
	return rest, r.save(ctx)
}

// tell notes what was last wrong.
func (r *runner) tell(code, detail string) {
	r.export.ErrorCode, r.export.ErrorDetail, r.export.ErrorAt = code, detail, r.Store.Now()
}

// save keeps how far it has come. Where the settings have been changed meanwhile nothing is written: they are read again.
func (r *runner) save(ctx context.Context) error {
	return r.Store.Update(ctx, r.org, store.ForTokens, func(tx *store.Tx) error {
		_, err := tx.MoveSplunkExport(r.export.Revision, r.export.ExportProgress)
		return err
	})
}
