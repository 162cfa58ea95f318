package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func testDeliveries(t *testing.T, s *fixture) {
	org, other := s.organization(t), s.organization(t)
	hook := Webhook{ID: NewID("whk"), Name: "siem", URL: "https://example.com", Types: []string{"login", "tokens/token_created"}, Sealed: []byte("sealed"), KeyID: 3, Since: 7, CreatedBy: "mem_1"}
	s.write(t, org, func(tx *Tx) error { return tx.InsertWebhook(hook) })
	s.write(t, other, func(tx *Tx) error {
		return tx.InsertWebhook(Webhook{ID: NewID("whk"), Name: "theirs", Sealed: []byte{1}})
	})
	get := func() Webhook {
		t.Helper()
		w, found, err := Webhook{}, false, error(nil)
		w = read(t, s, org, func(tx *Tx) (Webhook, error) {
			w, found, err = tx.Webhook(hook.ID)
			return w, err
		})
		if !found {
			t.Fatal("there is no webhook")
		}
		return w
	}
	w := get()
	if w.Name != hook.Name || !slices.Equal(w.Types, hook.Types) || string(w.Sealed) != "sealed" || w.KeyID != 3 || w.Since != 7 || w.Disabled != "" || w.Version != 1 || w.Organization != org {
		t.Errorf("kept: %+v", w)
	}
	w.Previous, w.PreviousKeyID, w.PreviousUntil, w.Types = []byte("before"), 2, s.Now().Plus(60), nil
	s.write(t, org, func(tx *Tx) error { return tx.UpdateWebhook(w) })
	if got := get(); string(got.Previous) != "before" || got.PreviousKeyID != 2 || len(got.Types) != 0 || got.Version != 2 {
		t.Errorf("updated: %+v", got)
	}
	if err := s.Update(t.Context(), org, ForTokens, func(tx *Tx) error { return tx.UpdateWebhook(w) }); !errors.Is(err, ErrStale) {
		t.Errorf("an update of an old version: %v", err)
	}
	s.write(t, org, func(tx *Tx) error {
		return firstError(tx.InsertDelivery(hook.ID, Head{11, "evt_11", "login", "a"}), tx.InsertDelivery(hook.ID, Head{12, "evt_12", "login", "b"}))
	})
	owing := func() bool {
		list := read(t, s, "", func(tx *Tx) ([]Webhook, error) { return tx.Owing("", 1000) })
		return slices.ContainsFunc(list, func(w Webhook) bool { return w.ID == hook.ID })
	}
	take := func(n int) (out []Delivery) {
		s.write(t, org, func(tx *Tx) (err error) {
			out, err = tx.TakeDeliveries(hook.ID, n, tx.Now().Plus(300))
			return err
		})
		return out
	}
	waiting := func(org string) int {
		return read(t, s, org, func(tx *Tx) (int, error) { return tx.Waiting(hook.ID, 10) })
	}
	if !owing() || waiting(org) != 2 || waiting(other) != 0 {
		t.Errorf("owing: %v, waiting: %d, of another organization: %d", owing(), waiting(org), waiting(other))
	}
	first := take(1)
	if len(first) != 1 || first[0].Event != "evt_11" || first[0].Type != "login/a" || first[0].Status != counterfoil.DeliveryPending {
		t.Fatalf("taken: %+v", first)
	}
	if rest := take(10); len(rest) != 1 || rest[0].Event != "evt_12" || owing() {
		t.Errorf("taken next: %+v", rest)
	}
	s.later(301 * time.Second)
	if !owing() || len(take(10)) != 2 {
		t.Error("what was taken and not settled does not come again")
	}
	done := first[0]
	done.Status, done.Attempts, done.LastAt, done.Answer, done.TookMicros = counterfoil.DeliveryDelivered, 1, s.Now(), 200, 1234
	s.write(t, org, func(tx *Tx) error { return tx.UpdateDelivery(done) })
	list := read(t, s, org, func(tx *Tx) ([]Delivery, error) { return tx.Deliveries(hook.ID, counterfoil.DeliveryDelivered, "", 10) })
	if len(list) != 1 || list[0].Answer != 200 || list[0].TookMicros != 1234 || waiting(org) != 1 {
		t.Errorf("delivered: %+v", list)
	}
	s.later(time.Hour)
	if more, err := s.PruneDeliveries(t.Context(), s.Now(), 1000); err != nil || more {
		t.Error(more, err)
	}
	if all := read(t, s, org, func(tx *Tx) ([]Delivery, error) { return tx.Deliveries(hook.ID, "", "", 10) }); len(all) != 1 || all[0].Event != "evt_12" {
		t.Errorf("after pruning: %+v", all)
	}
	if w := get(); true {
		w.Disabled = counterfoil.WebhookGone
		s.write(t, org, func(tx *Tx) error { return tx.UpdateWebhook(w) })
	}
	if owing() || get().Disabled != counterfoil.WebhookGone {
		t.Error("one that is disabled is owed something")
	}
	s.write(t, org, func(tx *Tx) error { return tx.DeleteWebhook(hook.ID) })
	if waiting(org) != 0 {
		t.Error("the deliveries of a webhook outlive it")
	}
}

// However much is always due to some webhooks, the others have their turn; those that fail come after those that work.
func testOwingTurns(t *testing.T, s *fixture) {
	org := s.organization(t)
	var ids []string
	for range 4 {
		id := NewID("whk")
		ids = append(ids, id)
		s.write(t, org, func(tx *Tx) error {
			return firstError(tx.InsertWebhook(Webhook{ID: id, Name: "siem", Sealed: []byte{1}}), tx.InsertDelivery(id, Head{1, "evt_1", "login", "a"}))
		})
	}
	slices.Sort(ids)
	s.write(t, org, func(tx *Tx) error {
		w, _, err := tx.WebhookForUpdate(ids[3])
		w.Failures = 1
		return firstError(err, tx.UpdateWebhook(w))
	})
	for after, want := range map[string][]string{"": ids, ids[0]: {ids[1], ids[2], ids[0], ids[3]}, ids[2]: ids} {
		list := read(t, s, "", func(tx *Tx) ([]Webhook, error) { return tx.Owing(after, 1000) })
		var got []string
		for _, w := range list {
			if w.Organization == org {
				got = append(got, w.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("behind %q: %q, want %q", after, got, want)
		}
	}
	s.write(t, org, func(tx *Tx) error {
		for _, id := range ids {
			if err := tx.DeleteWebhook(id); err != nil {
				return err
			}
		}
		return nil
	})
}
