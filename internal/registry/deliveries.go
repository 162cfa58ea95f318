package registry

import (
	"context"
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// DeliveryQuery narrows a list of deliveries.
type DeliveryQuery struct {
	Status counterfoil.DeliveryStatus
	Cursor string
	Limit  int
}

// Deliveries lists what was sent to a webhook and what waits for it, latest first.
func (r *Registry) Deliveries(ctx context.Context, c Caller, org, webhook string, q DeliveryQuery) (page counterfoil.Page[counterfoil.Delivery], err error) {
	page.Data = []counterfoil.Delivery{}
	err = r.view(ctx, c, org, OpReadWebhooks, func(w *work) error {
		if _, err := w.webhook(webhook); err != nil {
			return err
		}
		if q.Cursor != "" && !strings.HasPrefix(q.Cursor, "whd_") {
			return counterfoil.Invalid([]counterfoil.Problem{invalid("?cursor", "the cursor does not belong to this list: pass next_cursor back unchanged")})
		}
		list, err := w.tx.Deliveries(webhook, q.Status, q.Cursor, q.Limit+1)
		if err != nil {
			return err
		}
		for i := range list[:min(len(list), q.Limit)] {
			page.Data = append(page.Data, deliveryFace(&list[i]))
		}
		if len(list) > q.Limit {
			page.NextCursor = &list[q.Limit-1].ID
		}
		return nil
	})
	return page, err
}

func deliveryFace(d *store.Delivery) counterfoil.Delivery {
	out := counterfoil.Delivery{ID: d.ID, EventID: d.Event, Type: d.Type, Status: d.Status, Attempts: d.Attempts, CreatedAt: d.CreatedAt.Time()}
	if d.Status == counterfoil.DeliveryPending {
		out.NextAttemptAt = d.NextAt.Ptr()
	}
	if d.LastAt != 0 || d.Error != "" {
		out.LastAttempt = &counterfoil.DeliveryAttempt{At: d.LastAt.Time(), Status: int(d.Answer), Error: d.Error, TookMS: float64(d.TookMicros) / 1000}
	}
	return out
}

// ReplayDelivery has an event sent to a webhook again, under the same id, whatever became of it before.
func (r *Registry) ReplayDelivery(ctx context.Context, c Caller, org, webhook, id string) (out counterfoil.Delivery, err error) {
	_, err = r.do(ctx, c, org, OpSendWebhook, func(w *work) error {
		h, err := w.webhook(webhook)
		if err != nil {
			return err
		}
		d, found, err := w.tx.DeliveryForUpdate(webhook, id)
		if err != nil {
			return err
		}
		if !found {
			return errNotFound
		}
		if h.Disabled != "" {
			return counterfoil.Refuse(counterfoil.CodeInUse, "The webhook is disabled. Enable it first.")
		}
		d.Status, d.Attempts, d.NextAt = counterfoil.DeliveryPending, 0, w.tx.Now()
		out = deliveryFace(&d)
		w.recordWebhook(&h, map[string]any{"replayed": d.Event, "delivery": d.ID})
		return w.tx.UpdateDelivery(d)
	})
	return out, err
}

// TestWebhook sends a webhook an event of the type integrations.webhook_test, which stands in no log, and says what came
// of it. A webhook that is disabled can be tested.
func (r *Registry) TestWebhook(ctx context.Context, c Caller, org, id string) (out counterfoil.DeliveryAttempt, err error) {
	var h store.Webhook
	err = r.view(ctx, c, org, OpSendWebhook, func(w *work) error {
		h, err = w.webhook(id)
		return err
	})
	if err != nil {
		return out, err
	}
	return r.WebhookSender.Test(ctx, h)
}

// hostOf is where an address leads.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
