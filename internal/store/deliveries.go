package store

import (
	"context"

	"github.com/counterfoil/counterfoil"
)

// Delivery is one event on its way to a webhook of the organization.
type Delivery struct {
	ID, Webhook string
	Number      int64 // of the entry
	Event       string
	Type        string // type/action
	Status      counterfoil.DeliveryStatus
	Attempts    int64
	CreatedAt   counterfoil.Instant
	NextAt      counterfoil.Instant // of a pending one
	LastAt      counterfoil.Instant // 0: it was not tried yet
	Answer      int64               // HTTP status; 0: there was none
	Error       string
	TookMicros  int64
}

const deliveryColumns = "id, webhook, seq, event, type, status, attempts, created_at, next_at, last_at, answer, error, took_us"

func scanDelivery(r scanner) (d Delivery, err error) {
	return d, r.Scan(&d.ID, &d.Webhook, &d.Number, &d.Event, &d.Type, &d.Status, &d.Attempts, &d.CreatedAt, &d.NextAt, &d.LastAt, &d.Answer, &d.Error, &d.TookMicros)
}

// Head is what a webhook needs to know of an entry before it is sent.
type Head struct {
	Number       int64
	Event        string
	Type, Action string
}

// Heads lists up to limit of the organization's entries after number.
func (tx *Tx) Heads(number int64, limit int) ([]Head, error) {
	return collect(tx.q, func(r scanner) (h Head, err error) { return h, r.Scan(&h.Number, &h.Event, &h.Type, &h.Action) },
		"SELECT seq, id, type, action FROM events"+tx.q.by("events_by_number")+" WHERE organization=$1 AND seq > $2 ORDER BY seq LIMIT $3", tx.org, number, limit)
}

// EventByNumber finds an entry of the organization; false: there is none, or it is no longer kept.
func (tx *Tx) EventByNumber(number int64) (e counterfoil.Event, found bool, err error) {
	list, err := scanEvents(tx.q, "SELECT seq, body, hash FROM events WHERE organization=$1 AND seq=$2", tx.org, number)
	if err != nil || len(list) == 0 {
		return e, false, err
	}
	return list[0], true, nil
}

// InsertDelivery adds a pending delivery to a webhook of the organization, due now.
func (tx *Tx) InsertDelivery(webhook string, h Head) error {
	_, err := tx.q.exec("INSERT INTO deliveries (organization, "+deliveryColumns+") VALUES ($1,$2,$3,$4,$5,$6,'pending',0,$7,$8,0,0,'',0)",
		tx.org, NewID("whd"), webhook, h.Number, h.Event, h.Type+"/"+h.Action, int64(tx.now), int64(tx.now))
	return err
}

// Deliveries lists those to a webhook of the organization, latest first, before the given id where there is one. An empty
// status does not narrow.
func (tx *Tx) Deliveries(webhook string, status counterfoil.DeliveryStatus, before string, limit int) ([]Delivery, error) {
	w := where{}
	w.add("organization = ?", tx.org)
	w.add("webhook = ?", webhook)
	if status != "" {
		w.add("status = ?", string(status))
	}
	if before != "" {
		w.add("id < ?", before)
	}
	return collect(tx.q, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE "+w.sql()+" ORDER BY id DESC"+w.bind(" LIMIT ?", limit), w.args...)
}

// DeliveryForUpdate finds a delivery to a webhook of the organization and locks its row until the transaction ends.
func (tx *Tx) DeliveryForUpdate(webhook, id string) (Delivery, bool, error) {
	return find(tx.q, scanDelivery, "SELECT "+deliveryColumns+" FROM deliveries WHERE organization=$1 AND webhook=$2 AND id=$3"+tx.q.forUpdate(), tx.org, webhook, id)
}

// TakeDeliveries returns up to limit deliveries to a webhook of the organization that are due, oldest first, and makes them
// due again later, unless they are updated before: of those who ask at the same time one gets them.
func (tx *Tx) TakeDeliveries(webhook string, limit int, again counterfoil.Instant) ([]Delivery, error) {
	list, err := collect(tx.q, scanDelivery, "SELECT "+deliveryColumns+` FROM deliveries WHERE organization=$1 AND webhook=$2 AND status='pending' AND next_at <= $3
		ORDER BY next_at, id LIMIT $4`+tx.q.forUpdate(), tx.org, webhook, int64(tx.now), limit)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if _, err := tx.q.exec("UPDATE deliveries SET next_at=$1 WHERE organization=$2 AND id=$3", int64(again), tx.org, d.ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// UpdateDelivery writes what became of a delivery of the organization. One that was deleted meanwhile stays so.
func (tx *Tx) UpdateDelivery(d Delivery) error {
	_, err := tx.q.exec("UPDATE deliveries SET status=$1, attempts=$2, next_at=$3, last_at=$4, answer=$5, error=$6, took_us=$7 WHERE organization=$8 AND id=$9",
		string(d.Status), d.Attempts, int64(d.NextAt), int64(d.LastAt), d.Answer, d.Error, d.TookMicros, tx.org, d.ID)
	return err
}

// Waiting counts the deliveries to a webhook of the organization that are pending, up to most.
func (tx *Tx) Waiting(webhook string, most int) (n int, err error) {
	return n, tx.q.row("SELECT COUNT(*) FROM (SELECT id FROM deliveries WHERE organization=$1 AND webhook=$2 AND status='pending' LIMIT $3) AS part", tx.org, webhook, most).Scan(&n)
}

// PruneDeliveries forgets up to limit deliveries from before; more: there may be others. It crosses organizations: it is
// housekeeping.
func (s *Store) PruneDeliveries(ctx context.Context, before counterfoil.Instant, limit int) (more bool, err error) {
	err = s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		n, err := tx.q.exec("DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE status <> 'pending' AND created_at < $1 LIMIT $2)", int64(before), limit)
		more = n == int64(limit)
		return err
	})
	return more, err
}
