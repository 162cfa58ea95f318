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
			if v.applied.Load() < 0 { // what was read before this stream began may lack a change that none tells
				v.memory.apply(counterfoil.Change{Scope: counterfoil.ScopeEverything})
			}
			v.hash = m.Hash
			for _, c := range m.Changes {
				v.memory.apply(c)
			}
			if m.Number > v.applied.Load() {
				v.applied.Store(m.Number)
				poke(v.caught)
				poke(v.reported)
			}
			return nil
		})
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

// faultOf is what two errors of one cause have in common: the service's code, or that it did not answer.
func faultOf(err error) string {
	var refused *counterfoil.Error
	if errors.As(err, &refused) {
		return string(refused.Code)
	}
	return "no answer"
}

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

// refused says once that the server feeds no further verifier. Of whatever else is wrong the stream says it.
func (v *Verifier) refused(err error) {
	if errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeRateLimited}) && !v.full.Swap(true) {
		v.config.Logger.Warn("the server does not let this process judge tokens by itself", "error", err)
	}
}

// renew asks for a lease. It runs from before the question, and begins once everything is applied that the log held when it was
// answered: what was acknowledged before is among that, and what comes after waits for this Verifier or for its lease.
func (v *Verifier) renew(ctx context.Context) {
	v.standing.Lock()
	began, applied, begun := time.Since(v.start), v.applied.Load(), v.begun
	v.standing.Unlock()
	if applied < 0 {
		return
	}
	uses := v.uses.take()
	short, cancel := context.WithTimeout(ctx, v.config.MaxStaleness)
	defer cancel()
	lease, err := v.tell(short, counterfoil.VerifierReport{Applied: applied, LeaseMS: v.config.MaxStaleness.Milliseconds(), Uses: uses})
	if err != nil {
		v.uses.back(uses)
		v.refused(err)
		return
	}
	v.full.Store(false)
	if len(uses) == mostUses { // there are more
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

// tell sends a report. A server of a version before, which tells no values apart, refuses one that does, and is sent it again at
// once without. That is not remembered: the next report may reach a newer node, and "quiet" rests on what it is told.
func (v *Verifier) tell(ctx context.Context, report counterfoil.VerifierReport) (counterfoil.VerifierLease, error) {
	lease, err := v.client.ReportVerifier(ctx, v.id, report)
	var refused *counterfoil.Error
	if !errors.As(err, &refused) || !slices.ContainsFunc(refused.Problems, func(p counterfoil.Problem) bool { return strings.HasSuffix(p.Pointer, "/previous_until") }) {
		return lease, err
	}
	report.Uses = slices.Clone(report.Uses)
	for i := range report.Uses {
		report.Uses[i].PreviousUntil = nil
	}
	return v.client.ReportVerifier(ctx, v.id, report)
}
