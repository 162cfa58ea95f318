package webhooks

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	together  = 16         // deliveries to a webhook in one go
	inFlight  = 4          // of them at the same time
	lease     = 5 * 60     // seconds in which nobody else sends what was taken to be sent
	giveUp    = 3 * 86_400 // seconds without a success after which a webhook is disabled
	holdAfter = 60 * 60    // the longest that a receiver's wish holds up other deliveries, in seconds
)

// pauses are the seconds between the attempts of a delivery; after the last it has failed. With them it is tried for about
// a day.
var pauses = [...]int64{5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 10 * 3600}

// holds are the seconds for which a webhook that took nothing is left in peace, by how often that was so; the last one stays.
var holds = [...]int64{2, 15, 60, 5 * 60}

// send begins to send to those webhooks that something is due to, a few at the same time and each by itself.
func (s *Sender) send(ctx context.Context) error {
	s.mu.Lock()
	free := webhooksAtOnce - len(s.busy)
	s.mu.Unlock()
	if free == 0 {
		return nil
	}
	var hooks []store.Webhook
	err := s.Store.View(ctx, "", func(tx *store.Tx) (err error) {
		hooks, err = tx.Owing(s.turn, 2*webhooksAtOnce) // some of them may be under way
		return err
	})
	if err != nil {
		return err
	}
	for _, w := range hooks {
		s.mu.Lock()
		begin := !s.busy[w.ID] && len(s.busy) < webhooksAtOnce
		if begin {
			s.busy[w.ID] = true
		}
		s.mu.Unlock()
		if !begin {
			continue
		}
		s.turn = w.ID
		s.at.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.busy, w.ID)
				s.mu.Unlock()
			}()
			if err := s.sendTo(ctx, w); err != nil && ctx.Err() == nil {
				s.Logger.Warn("sending to a webhook; it is tried again", "webhook", w.ID, "error", err)
			}
		})
	}
	return nil
}

// rounds and placeFor bound how long one webhook keeps its place while others wait for one.
const (
	rounds   = 20
	placeFor = time.Minute
)

// sendTo sends what is due to a webhook until nothing is, or it takes nothing.
func (s *Sender) sendTo(ctx context.Context, w store.Webhook) error {
	began := time.Now()
	for round := 0; round < rounds && time.Since(began) < placeFor; round++ {
		n := together
		if w.Failures > 0 {
			n = 1 // a probe
		}
		tries, err := s.take(ctx, &w, n)
		if err != nil || len(tries) == 0 {
			return err
		}
		if err := s.try(ctx, &w, tries); err != nil {
			return err
		}
		if ctx.Err() != nil { // what was taken is noted; what was under way is sent again
			tries = slices.DeleteFunc(tries, func(t *try) bool { return !t.kept || t.fault != "" })
		}
		on, err := s.settle(context.WithoutCancel(ctx), &w, tries)
		if err != nil || !on || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// try is a delivery that is being sent.
type try struct {
	store.Delivery
	event counterfoil.Event
	kept  bool // the event is still in the log
	outcome
	err error
}

func (s *Sender) take(ctx context.Context, w *store.Webhook, n int) (tries []*try, err error) {
	err = s.Store.Update(ctx, w.Organization, store.ForTokens, func(tx *store.Tx) error {
		tries = nil
		now, found, err := tx.Webhook(w.ID)
		if err != nil || !found || now.Disabled != "" {
			return err
		}
		*w = now
		list, err := tx.TakeDeliveries(w.ID, n, tx.Now().Plus(lease))
		if err != nil {
			return err
		}
		for _, d := range list {
			t := &try{Delivery: d}
			if t.event, t.kept, err = tx.EventByNumber(d.Number); err != nil {
				return err
			}
			tries = append(tries, t)
		}
		return nil
	})
	return tries, err
}

func (s *Sender) try(ctx context.Context, w *store.Webhook, tries []*try) error {
	var under sync.WaitGroup
	places := make(chan struct{}, inFlight)
	for _, t := range tries {
		if !t.kept {
			continue
		}
		places <- struct{}{}
		under.Go(func() {
			defer func() { <-places }()
			t.outcome, t.err = s.attempt(ctx, w, &t.event)
		})
	}
	under.Wait()
	for _, t := range tries {
		if t.err != nil {
			return t.err
		}
	}
	return nil
}

// settle writes what became of the deliveries and of their webhook; on: there is reason to send more.
func (s *Sender) settle(ctx context.Context, w *store.Webhook, tries []*try) (on bool, err error) {
	err = s.Store.Update(ctx, w.Organization, store.ForTokens, func(tx *store.Tx) error {
		now, found, err := tx.WebhookForUpdate(w.ID)
		if err != nil || !found {
			return err
		}
		taken, failed, gone, after := 0, 0, false, int64(0)
		for _, t := range tries {
			switch {
			case !t.kept:
				t.Status, t.Error = counterfoil.DeliveryFailed, "The event is no longer kept."
			case t.fault == "":
				taken++
				t.noteAttempt(counterfoil.DeliveryDelivered, 0)
			default:
				failed++
				gone = gone || t.answer == 410
				after = max(after, t.after)
				t.noteFailure()
			}
			if err := tx.UpdateDelivery(t.Delivery); err != nil {
				return err
			}
		}
		on = taken > 0 || failed == 0
		switch {
		case taken > 0:
			now.Failures, now.FailingSince, now.HeldUntil = 0, 0, 0
		case failed > 0:
			now.Failures++
			if now.FailingSince == 0 {
				now.FailingSince = tx.Now()
			}
			now.HeldUntil = tx.Now().Plus(max(holds[min(now.Failures, int64(len(holds)))-1], min(after, holdAfter)))
		}
		*w = now
		switch {
		case now.Disabled != "":
		case gone:
			return s.disable(tx, now, counterfoil.WebhookGone)
		case now.FailingSince != 0 && tx.Now() >= now.FailingSince.Plus(giveUp):
			return s.disable(tx, now, counterfoil.WebhookFailing)
		}
		return tx.UpdateWebhook(now)
	})
	return on, err
}

func (t *try) noteAttempt(status counterfoil.DeliveryStatus, next counterfoil.Instant) {
	t.Status, t.NextAt = status, next
	t.Attempts++
	t.LastAt, t.Answer, t.Error, t.TookMicros = t.at, int64(t.answer), t.fault, t.took.Microseconds()
}

func (t *try) noteFailure() {
	if t.Attempts >= int64(len(pauses)) {
		t.noteAttempt(counterfoil.DeliveryFailed, 0)
		return
	}
	t.noteAttempt(counterfoil.DeliveryPending, t.at.Plus(max(pauses[t.Attempts], t.after)))
}

const mostKeepers = 50

// disable stops sending to a webhook, and says so in the log and by mail.
func (s *Sender) disable(tx *store.Tx, w store.Webhook, reason counterfoil.WebhookReason) error {
	w.Disabled = reason
	if err := tx.UpdateWebhook(w); err != nil {
		return err
	}
	metadata, err := json.Marshal(map[string]any{"before": map[string]any{"enabled": true}, "after": map[string]any{"enabled": false}, "reason": reason})
	if err != nil {
		return err
	}
	tx.Append(counterfoil.Event{Type: "integrations", Action: "webhook_updated", Actor: counterfoil.Actor{Kind: "system"}, Initiator: "webhooks",
		Target: counterfoil.Target{Kind: "webhook", ID: w.ID, Name: w.Name}, Metadata: metadata})
	if !s.Mails {
		return nil
	}
	data, err := json.Marshal(store.WebhookDisabled{Name: w.Name, Host: host(w.URL), Reason: reason})
	if err != nil {
		return err
	}
	people, err := tx.Keepers(mostKeepers)
	if err != nil {
		return err
	}
	for _, m := range people {
		if err := tx.InsertLetter(store.Letter{User: m.UserID, Kind: store.LetterWebhook, Subject: w.ID, Data: string(data), DueAt: tx.Now()}); err != nil {
			return err
		}
	}
	return nil
}
