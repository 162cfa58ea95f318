package client

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

// follow keeps a stream of changes, and forgets what they concern.
func (v *Verifier) follow(ctx context.Context) {
	heard, told := time.Now(), "" // told: the fault that was last logged
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if time.Since(heard) > forgetAfter {
			v.forget()
		}
		err := v.client.FollowChanges(ctx, v.applied.Load(), v.hash, quietStream, func(m counterfoil.Changes) error {
			if told != "" {
				v.config.Logger.Info("the changes of tokens are followed again")
			}
			heard, told, wait = time.Now(), "", 0
			v.follows.Store(true)
			if v.applied.Load() < 0 { // what was read before this stream began may lack a change that none tells
				v.memory.apply(counterfoil.Change{Scope: counterfoil.ScopeEverything})
			}
			for _, c := range m.Changes {
				v.memory.apply(c)
			}
			if v.reach(m) {
				poke(v.caught)
				poke(v.reported)
			}
			return nil
		})
		v.follows.Store(false)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
			v.forget() // it is another log: a restored one
		}
		if fault := faultOf(err); fault != told && !errors.Is(err, errStreamEnded) {
			v.config.Logger.Warn("the changes of tokens are not followed; it is tried again", "error", err)
			told = fault
		}
		wait = min(max(2*wait, 50*time.Millisecond), 2*time.Second)
	}
}

// reach takes note that everything up to a message is applied, and reports whether that is further than before.
func (v *Verifier) reach(m counterfoil.Changes) (further bool) {
	v.standing.Lock()
	defer v.standing.Unlock()
	further = m.Number > v.applied.Load()
	v.hash = m.Hash
	v.applied.Store(m.Number)
	return further
}

// faultOf is what two errors of one cause have in common: the service's code, or that it did not answer.
func faultOf(err error) string {
	var refused *counterfoil.Error
	if errors.As(err, &refused) {
		return string(refused.Code)
	}
	return noAnswer
}

const noAnswer = "no answer"

// forget begins anew at the end of the log.
func (v *Verifier) forget() {
	v.standing.Lock()
	v.until.Store(0)
	v.applied.Store(-1)
	v.begun++
	v.standing.Unlock()
	v.memory.apply(counterfoil.Change{Scope: counterfoil.ScopeEverything})
}

// poke has a channel of one item hold one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// report says how far it is whenever that has changed, and at least four times in MaxStaleness: so its lease is renewed.
func (v *Verifier) report(ctx context.Context) {
	every := time.NewTicker(v.config.MaxStaleness / 4)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-v.reported:
		}
		if v.applied.Load() >= 0 {
			v.renew(ctx)
		}
	}
}

// failed takes note of a report that was not taken, and says so once where the stream does not: it stands, and the server refuses
// the report, or has left it without an answer until the lease ran out.
func (v *Verifier) failed(err error) {
	fault := faultOf(err)
	if fault == v.told || !v.follows.Load() || fault == noAnswer && v.trusts(time.Now()) {
		return
	}
	v.told = fault
	v.config.Logger.Warn("the server does not take the reports of this process: meanwhile it asks about each check, or what it accepts is not counted; it is tried again", "error", err)
}

// renew asks for a lease. It runs from before the question, and begins once everything is applied that the log held when it was
// answered: what was acknowledged before is among that, and what comes after waits for this Verifier or for its lease.
func (v *Verifier) renew(ctx context.Context) {
	v.standing.Lock()
	began, applied, hash, begun := time.Since(v.start), v.applied.Load(), v.hash, v.begun
	v.standing.Unlock()
	if applied < 0 {
		return
	}
	short, cancel := context.WithTimeout(ctx, v.config.MaxStaleness)
	defer cancel()
	now := telling{}
	if !v.alone {
		v.nextUses()
		now = v.telling
	}
	lease, err := v.tell(short, now, counterfoil.VerifierReport{Applied: applied, Hash: hash, LeaseMS: v.config.MaxStaleness.Milliseconds()})
	if err != nil {
		if v.alone = len(now.uses) > 0; v.alone && refusedOutright(err) {
			v.uses.back(now.uses)
			v.telling = telling{}
		}
		if ctx.Err() == nil {
			v.failed(err)
		}
		return
	}
	if v.alone {
		v.alone = false
	} else {
		if v.told != "" {
			v.told = ""
			v.config.Logger.Info("the server takes the reports of this process again")
		}
		v.telling = telling{}
	}
	if len(now.uses) == mostUses { // there are more
		poke(v.reported)
	}
	for v.applied.Load() < lease.Number {
		select {
		case <-v.caught:
		case <-short.Done():
			return
		}
	}
	v.standing.Lock()
	defer v.standing.Unlock()
	until := int64(began) + min(lease.LeaseMS*int64(time.Millisecond), int64(v.config.MaxStaleness))
	if begun == v.begun && until > v.until.Load() {
		v.since.Store(int64(began))
		v.until.Store(until)
	}
}

// refusedOutright reports whether the service has refused a report, and counted nothing of it.
func refusedOutright(err error) bool {
	var refused *Error
	return errors.As(err, &refused) && refused.Status/100 == 4 && refused.Err.Code != CodeUnexpectedAnswer
}

// tell sends a report with uses. A server of a version before, which tells no values apart, refuses one that does, and is sent it
// again at once without. That is not remembered: the next report may reach a newer node, and "quiet" rests on what it is told.
func (v *Verifier) tell(ctx context.Context, now telling, report counterfoil.VerifierReport) (counterfoil.VerifierLease, error) {
	report.Uses = now.uses
	lease, err := v.client.reportVerifier(ctx, v.id, now.key, report)
	var refused *counterfoil.Error
	if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Problems, func(p counterfoil.Problem) bool { return strings.HasSuffix(p.Pointer, "/previous_until") }) {
		return lease, err
	}
	report.Uses = slices.Clone(report.Uses)
	for i := range report.Uses {
		report.Uses[i].PreviousUntil = nil
	}
	return v.client.reportVerifier(ctx, v.id, now.key, report)
}
