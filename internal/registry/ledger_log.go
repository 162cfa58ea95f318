package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/store"
)

// inStep is up to where a ledger and the log were compared: each knows what the other says before it.
type inStep struct {
	ledger.Mark
	entry int64  // of the log
	hash  []byte // of that entry
}

// KeepLedger brings the database and the ledger in step, and has the database keep up to where they are. It replays; then it
// writes into the ledger what the log says has ended and the ledger does not: what this process or an earlier one committed and was
// killed before it wrote, what came true though its commit seemed to fail, and what other nodes ended.
//
// It is called hourly, at a start and a stop, and when the log turns out to be another than the one that was followed, since a
// database can be put back beneath a server; by what was just committed, too, before it is answered.
func (r *Registry) KeepLedger(ctx context.Context) (ended int, err error) {
	now, known, err := r.readLedger(ctx)
	if err != nil || now.Ledger == "" {
		return 0, err
	}
	ended, seen, err := r.replay(ctx, known.Mark)
	if err == nil {
		err = r.followEnds(ctx, known.entry, now.entry, seen)
	}
	if err != nil || now.Mark == known.Mark && now.entry == known.entry {
		return ended, err
	}
	return ended, r.keepStep(ctx, now)
}

// readLedger finds the ends of the ledger and of the log, in this order, since what ends is in the log first; and up to where the
// database knows both to be in step. Of a ledger that it does not know, and of the log then, all is looked at.
func (r *Registry) readLedger(ctx context.Context) (now, known inStep, err error) {
	if r.Ledger == nil {
		return now, known, nil
	}
	if now.Mark, err = r.Ledger.End(); err != nil || now.Ledger == "" {
		return now, known, err
	}
	err = r.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		if now.entry, now.hash, err = tx.LastEntry(); err != nil {
			return err
		}
		text, found, err := tx.Setting(ledgerSetting + now.Ledger)
		if err != nil || !found {
			return err
		}
		known.Ledger, known.entry = now.Ledger, now.entry // which an earlier version did not write
		if n, _ := fmt.Sscanf(text, "%d %s %d", &known.Offset, &known.Before, &known.entry); n < 2 {
			known = inStep{}
		}
		return nil
	})
	return now, known, err
}

const ledgerSetting = "ledger_known:"

// keepStep has the database keep up to where the ledger was compared with its log, and not another database's that was put in its
// place meanwhile.
func (r *Registry) keepStep(ctx context.Context, s inStep) error {
	return r.Store.Update(ctx, "", store.ForTokens, func(tx *store.Tx) error {
		if s.entry > 0 {
			last, err := tx.Entries(s.entry-1, 1)
			if err != nil {
				return err
			}
			if len(last) == 0 || last[0].Number != s.entry || !bytes.Equal(last[0].Hash, s.hash) {
				return errors.New("the log is another than the one that the ledger of revocations was compared with")
			}
		}
		return tx.SetSetting(ledgerSetting+s.Ledger, fmt.Sprintf("%d %s %d", s.Offset, s.Before, s.entry))
	})
}

// endings are the actions of events after which something has ended for good.
var endings = []string{"token_revoked", "activities_token_revoked", "token_rotated", "token_updated", "key_revoked", "organization_deleted"}

// followEnds writes into the ledger what ended by the log's entries behind from, as far as through, and is not in seen.
func (r *Registry) followEnds(ctx context.Context, from, through int64, seen lasts) error {
	return r.Store.FollowActions(ctx, from, through, endings, func(events []counterfoil.Event) error {
		var missing []ledger.Entry
		for i := range events {
			id := events[i].Target.ID
			if events[i].Target.Kind == store.DamagedKind {
				r.Logger.Error("an entry of the log cannot be read: if a provider's key or an organization ended by it, the ledger of revocations lacks that", "entry", events[i].Number)
			}
			last, known := seen[id]
			if known && last.Digest == nil || events[i].Action == "token_updated" && !bytes.Contains(events[i].Metadata, []byte(`"`+previousUntil+`"`)) {
				continue
			}
			e, err := r.endOf(ctx, &events[i])
			if err != nil {
				return err
			}
			if !e.At.IsZero() && !(known && !after(e, *last)) {
				seen.put(id, e)
				missing = append(missing, e)
			}
		}
		return r.Ledger.Append(missing...)
	})
}

// endOf is what the database says of the end of what an event is about: a token, its value, a provider's key or an organization;
// the zero entry: it has none. The event is taken for no more than a hint: organizations write such as well.
func (r *Registry) endOf(ctx context.Context, event *counterfoil.Event) (e ledger.Entry, err error) {
	id := event.Target.ID
	err = r.Store.View(ctx, id, func(tx *store.Tx) error {
		switch kind, _, _ := strings.Cut(id, "_"); kind {
		case "tok":
			t, _, err := tx.Credential(id)
			if errors.Is(err, store.ErrDamaged) {
				return nil
			}
			switch {
			case t.RevokedAt != 0:
				e = ledger.Entry{Token: id, At: t.RevokedAt.Time()}
			case t.RotatedAt != 0:
				e = ledger.Entry{Token: id, At: t.RotatedAt.Time(), KeyID: t.KeyID, Digest: t.Digest[:], RotatedAt: int64(t.RotatedAt), Version: t.Version}
			}
			return err
		case "key":
			k, _, err := tx.ProviderKeyByID(id)
			if k.RevokedAt != 0 {
				e = ledger.Entry{ProviderKey: id, At: k.RevokedAt.Time()}
			}
			return err
		case "org":
			o, _, err := tx.CurrentOrganization()
			if o.Deleted {
				e = ledger.Entry{Organization: id, At: event.Timestamp}
			}
			return err
		}
		return nil
	})
	return e, err
}
