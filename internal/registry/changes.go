package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verifiers"
)

// MayFollow refuses whoever may not follow what changes verdicts.
func (r *Registry) MayFollow(ctx context.Context, c Caller) error {
	return r.view(ctx, c, "", OpFollowChanges, func(*work) error { return nil })
}

// LogEnd returns the number and hash of the log's last entry.
func (r *Registry) LogEnd(ctx context.Context, c Caller) (number int64, hash []byte, err error) {
	err = r.view(ctx, c, "", OpFollowChanges, func(w *work) (err error) {
		number, hash, err = w.tx.LastEntry()
		return err
	})
	return number, hash, err
}

// SameLog refuses with cursor_expired where the log does not have an entry, or another one under its number: it was restored, or
// a standby took over that lacked the end; and where retention has removed some of what came after it, of which nobody can be told any
// more. An empty hash is any.
func (r *Registry) SameLog(ctx context.Context, c Caller, number int64, hash []byte) error {
	return r.view(ctx, c, "", OpFollowChanges, func(w *work) error {
		same, err := holds(w.tx, number, hash)
		if err != nil {
			return err
		}
		removed, err := w.tx.RemovedAfter(number)
		if err == nil && (!same || removed) {
			err = errOtherLog
		}
		return err
	})
}

// holds reports whether the log has an entry with a number and a hash; any hash where it is empty.
func holds(tx *store.Tx, number int64, hash []byte) (bool, error) {
	if number == 0 {
		return true, nil
	}
	list, err := tx.Entries(number-1, 1)
	return len(list) > 0 && list[0].Number == number && (len(hash) == 0 || bytes.Equal(list[0].Hash, hash)), err
}

// end returns the log's last entry, and whether it holds the one that a verifier has applied.
func (r *Registry) end(ctx context.Context, applied int64, hash []byte) (number int64, same bool, err error) {
	err = r.Store.View(ctx, "", func(tx *store.Tx) error {
		var last []byte
		if number, last, err = tx.LastEntry(); err != nil {
			return err
		}
		if number == applied && bytes.Equal(last, hash) { // as almost always
			same = true
			return nil
		}
		same, err = holds(tx, applied, hash)
		return err
	})
	return max(number, applied), same, err // retention may have taken the last
}

// ChangesAfter returns up to limit entries of the whole log after the one with a number and a hash, for a program that judges by
// itself. It refuses as SameLog does, after it has read: the log may become another in the middle of a stream, or lose entries that
// were not read.
func (r *Registry) ChangesAfter(ctx context.Context, c Caller, number int64, hash []byte, limit int) ([]counterfoil.Event, error) {
	events, err := r.Store.Follow(ctx, number, limit)
	if err == nil {
		err = r.SameLog(ctx, c, number, hash)
	}
	if err != nil {
		return nil, err
	}
	return events, nil
}

var errOtherLog = counterfoil.Refuse(counterfoil.CodeCursorExpired, "The log does not have that entry any more, or not all that came after it. Forget what you remember, and begin at its end.")

// verifiersSetting is for how long, in milliseconds, a process that has this database alone has granted leases to verifiers.
const verifiersSetting = "verifiers_lease"

// rememberVerifiers has the next process know that there may be verifiers, before the first is granted anything. Where there are
// nodes, each waits for the leases of those that are gone.
func (r *Registry) rememberVerifiers(ctx context.Context) error {
	if !r.Store.Alone() || r.feeds.Load() {
		return nil
	}
	err := r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		ms := r.Store.Lease().Milliseconds()
		text, found, err := tx.Setting(verifiersSetting)
		if err != nil {
			return err
		}
		if before, err := strconv.ParseInt(text, 10, 64); found && err == nil && before >= ms {
			return nil // one before this granted longer ones
		}
		return tx.SetSetting(verifiersSetting, strconv.FormatInt(ms, 10))
	})
	if err == nil {
		r.feeds.Store(true)
	}
	return err
}

// GrantedBefore is for how long verifiers of a process before this one may trust what they remember after its end.
func GrantedBefore(ctx context.Context, s *store.Store) (time.Duration, error) {
	if !s.Alone() {
		return 0, nil
	}
	text, found, err := s.Setting(ctx, verifiersSetting)
	if err != nil || !found {
		return 0, err
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 {
		return store.MaxLease, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// ReportVerifier notes how far a verifier has applied the log, and returns what the log held when it was read, and for how long
// from the report on the verifier may trust what it remembers, once it has applied all of that. From now on until then whatever
// narrows waits for it. What it has applied of a log that was there before says nothing of this one, where the numbers come again:
// its hash tells. A client of a version before gives none, and is granted nothing more once the log has become another.
func (r *Registry) ReportVerifier(ctx context.Context, c Caller, id string, report counterfoil.VerifierReport) (out counterfoil.VerifierLease, err error) {
	if err := r.MayFollow(ctx, c); err != nil {
		return out, err
	}
	reporting, err := r.Verifiers.Report(id, c.TokenID)
	if err != nil {
		return out, verifierRefusal(err)
	}
	var lease time.Duration
	defer func() { reporting.End(lease) }()
	epoch, _ := r.Store.Alive()
	number, same, err := r.end(ctx, report.Applied, report.Hash)
	if err != nil {
		return out, err
	}
	if !same { // what it has applied is of another log: of this one it knows nothing
		reporting.Applied(0, epoch)
		return out, errOtherLog
	}
	out.Number = number
	if report.Applied > 0 && len(report.Hash) == 0 && r.Store.Another() {
		reporting.Applied(0, epoch)
		return out, nil
	}
	reporting.Applied(report.Applied, epoch)
	if err := errors.Join(r.rememberVerifiers(ctx), r.Store.Applied(ctx)); err != nil {
		return out, err
	}
	wanted := min(time.Duration(report.LeaseMS)*time.Millisecond, r.Store.Lease(), r.Store.Trust())
	out.LeaseMS = wanted.Milliseconds()
	lease = wanted // also where it lags: it may catch up with this very answer
	return out, nil
}

// LeaveVerifier is how a verifier says that it trusts nothing any more.
func (r *Registry) LeaveVerifier(ctx context.Context, c Caller, id string) error {
	err := r.MayFollow(ctx, c)
	if err == nil {
		err = verifierRefusal(r.Verifiers.Leave(id, c.TokenID))
	}
	if err == nil {
		err = r.Store.Applied(ctx)
	}
	return err
}

func verifierRefusal(err error) error {
	switch {
	case errors.Is(err, verifiers.ErrMany):
		return counterfoil.Refuse(counterfoil.CodeRateLimited, fmt.Sprintf("This node feeds %d verifiers, as many as it can. Ask it for verdicts, or try another node.", verifiers.Most))
	case errors.Is(err, verifiers.ErrFull):
		return counterfoil.Refuse(counterfoil.CodeRateLimited, fmt.Sprintf("%d verifiers report with this token at this node, as many as may. Give further ones another system token.", verifiers.MostOfOne))
	case errors.Is(err, verifiers.ErrTaken):
		return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "A verifier that uses another token has this id. Choose a random one for each process.")
	}
	return err
}

// awaitVerifiers waits for the verifiers that this node feeds. On PostgreSQL other nodes wait for theirs before they say that
// they have applied the entry.
func (r *Registry) awaitVerifiers(ctx context.Context, entry int64) []verifiers.Confirmation {
	if r.Verifiers == nil {
		return nil
	}
	return r.Verifiers.Await(context.WithoutCancel(ctx), entry) // who waits may go: the receipt is finished
}

// noteFed adds the verifiers to a receipt.
func noteFed(receipt *counterfoil.Receipt, fed []verifiers.Confirmation, asked, took time.Duration) time.Duration {
	for _, v := range fed {
		n := counterfoil.ReceiptNode{ID: v.ID, Fenced: v.Fenced}
		if !v.Fenced {
			n.ConfirmedInMS = in(asked + v.After)
		}
		took = max(took, asked+v.After)
		receipt.Nodes = append(receipt.Nodes, n)
	}
	return took
}
