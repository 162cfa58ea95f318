// Package webhooks sends an organization's events to the addresses that it has named, as Standard Webhooks says
// (https://www.standardwebhooks.com). Each event becomes one delivery to each webhook that wants it, by a cursor of the
// webhook's own in the log; a delivery is tried until the receiver takes it or about a day is over, at least once and under
// the same id. The package refuses to decide who may see what: a webhook belongs to the organization whose events it gets.
package webhooks

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Config is what a Sender needs. Store, Keys and Client are required.
type Config struct {
	Store  *store.Store
	Keys   *secret.Keyring
	Client *outgoing.Client
	Mails  bool // owners and admins are written to when a webhook is disabled
	Logger *slog.Logger
}

// Sender sends what is due. Run runs it.
type Sender struct {
	Config

	seen   int64               // the number of the log's entry up to which every webhook has looked, but those in behind
	caught bool                // seen is known: every webhook was looked at once
	behind map[string]bool     // organizations whose webhooks could not look the last time
	pruned counterfoil.Instant // when old deliveries were forgotten last
	turn   string              // the webhook that was begun with last

	mu   sync.Mutex // guards busy
	busy map[string]bool
	at   sync.WaitGroup

	testing sync.Map     // organizations whose webhook is being tested
	tests   atomic.Int32 // that are under way
}

// New makes a Sender.
func New(c Config) *Sender {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return &Sender{Config: c, busy: map[string]bool{}, behind: map[string]bool{}}
}

const (
	webhooksAtOnce = 8               // that are being sent to
	perPage        = 200             // webhooks, or entries of one, in a transaction
	mostWaiting    = 50_000          // deliveries to a webhook that may be pending
	pruneEvery     = 60 * 60         // seconds
	deliveriesKept = 30 * 24 * 3_600 // seconds that the delivery log remembers what is done
)

// Run works until ctx ends, about once a second, and returns when nothing is being sent any more.
func (s *Sender) Run(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	defer s.at.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
		}
		for doing, step := range map[string]func(context.Context) error{
			"looking for what is to be sent to webhooks": s.look, "sending to webhooks": s.send, "forgetting old deliveries": s.prune,
		} {
			if err := step(ctx); err != nil && ctx.Err() == nil {
				s.Logger.Warn(doing+"; it is tried again", "error", err)
			}
		}
	}
}

// look turns what was written since the last time into deliveries. The first time every webhook is asked; later those of
// the organizations that have written, and those that could not look the last time: one that fails holds up no other.
func (s *Sender) look(ctx context.Context) error {
	last, err := s.Store.LastEvent(ctx)
	if err != nil || s.caught && last == s.seen && len(s.behind) == 0 {
		return err
	}
	orgs := map[string]bool{}
	err = s.Store.View(ctx, "", func(tx *store.Tx) error {
		any, err := tx.AnyListening()
		if err != nil || !any || !s.caught {
			return err
		}
		written, err := tx.Written(s.seen, last)
		for _, org := range written {
			orgs[org] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	if !s.caught {
		if err := s.catchUp(ctx, last); err != nil {
			return err
		}
	}
	maps.Copy(orgs, s.behind)
	for org := range orgs {
		if err := s.lookAt(ctx, org); err != nil {
			if ctx.Err() != nil {
				return err
			}
			s.putOff(org, err)
			continue
		}
		delete(s.behind, org)
	}
	s.seen, s.caught = last, true
	return nil
}

// lookAt has every webhook of an organization look.
func (s *Sender) lookAt(ctx context.Context, org string) error {
	var hooks []store.Webhook
	err := s.Store.View(ctx, org, func(tx *store.Tx) (err error) {
		hooks, err = tx.Webhooks()
		return err
	})
	if err != nil {
		return err
	}
	for _, w := range hooks {
		if err := s.enqueue(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// putOff has an organization looked at again the next time.
func (s *Sender) putOff(org string, err error) {
	s.behind[org] = true
	s.Logger.Warn("looking for what is to be sent to an organization's webhooks; it is tried again", "organization", org, "error", err)
}

// catchUp asks every webhook that has not looked at the last entry.
func (s *Sender) catchUp(ctx context.Context, last int64) error {
	for after := ""; ; {
		var hooks []store.Webhook
		err := s.Store.View(ctx, "", func(tx *store.Tx) (err error) {
			hooks, err = tx.Listening(last, after, perPage)
			return err
		})
		if err != nil || len(hooks) == 0 {
			return err
		}
		for _, w := range hooks {
			if err := s.enqueue(ctx, w); err != nil {
				if ctx.Err() != nil {
					return err
				}
				s.putOff(w.Organization, err)
			}
			after = w.ID
		}
	}
}

// enqueue makes the deliveries to a webhook of what it has not looked at, and moves its cursor in the same transactions.
func (s *Sender) enqueue(ctx context.Context, w store.Webhook) error {
	for more := true; more; {
		err := s.Store.Update(ctx, w.Organization, store.ForTokens, func(tx *store.Tx) error {
			more = false
			w, found, err := tx.WebhookForUpdate(w.ID)
			if err != nil || !found || w.Disabled != "" {
				return err
			}
			heads, err := tx.Heads(w.Since, perPage)
			if err != nil || len(heads) == 0 {
				return err
			}
			for _, h := range heads {
				if !wants(w.Types, h) {
					continue
				}
				if err := tx.InsertDelivery(w.ID, h); err != nil {
					return err
				}
			}
			w.Since, more = heads[len(heads)-1].Number, len(heads) == perPage
			if w.FailingSince != 0 { // one that works gets through
				waiting, err := tx.Waiting(w.ID, mostWaiting)
				if err != nil {
					return err
				}
				if waiting >= mostWaiting {
					more = false
					return s.disable(tx, w, counterfoil.WebhookBehind)
				}
			}
			return tx.UpdateWebhook(w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// wants reports whether a webhook that lists types is to be sent an event; one that lists none is sent everything.
func wants(types []string, h store.Head) bool {
	return len(types) == 0 || slices.Contains(types, h.Type) || slices.Contains(types, h.Type+"/"+h.Action)
}

func (s *Sender) prune(ctx context.Context) error {
	now := s.Store.Now()
	if now < s.pruned.Plus(pruneEvery) {
		return nil
	}
	more, err := s.Store.PruneDeliveries(ctx, now.Plus(-deliveriesKept), 1000)
	if err == nil && !more {
		s.pruned = now
	}
	return err
}
