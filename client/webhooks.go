package client

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Webhooks lists an organization's webhooks, oldest first.
func (c *Client) Webhooks(ctx context.Context, org string, options ...CallOption) ([]counterfoil.Webhook, error) {
	page, err := call[counterfoil.Page[counterfoil.Webhook]](ctx, c, request{doing: "listing webhooks", method: http.MethodGet, path: within(org, "webhooks")}, options)
	return page.Data, err
}

// CreateWebhook makes a webhook. The answer holds its secret, which is shown this once. It takes [IdempotencyKey].
func (c *Client) CreateWebhook(ctx context.Context, org string, draft counterfoil.WebhookDraft, options ...CallOption) (counterfoil.WebhookCreated, error) {
	return call[counterfoil.WebhookCreated](ctx, c, request{doing: "creating a webhook", method: http.MethodPost, path: within(org, "webhooks"), body: draft, once: true}, options)
}

// Webhook reads one webhook.
func (c *Client) Webhook(ctx context.Context, org, id string, options ...CallOption) (counterfoil.Webhook, error) {
	return call[counterfoil.Webhook](ctx, c, request{doing: "reading a webhook", method: http.MethodGet, path: within(org, "webhooks", id)}, options)
}

// EditWebhook changes, disables or enables a webhook.
func (c *Client) EditWebhook(ctx context.Context, org, id string, edit counterfoil.WebhookEdit, options ...CallOption) (counterfoil.Webhook, error) {
	return call[counterfoil.Webhook](ctx, c, request{doing: "editing a webhook", method: http.MethodPatch, path: within(org, "webhooks", id), body: edit}, options)
}

// RotateWebhook gives a webhook another secret, which is shown this once; the present one signs as well for the grace.
func (c *Client) RotateWebhook(ctx context.Context, org, id string, grace time.Duration, options ...CallOption) (counterfoil.WebhookCreated, error) {
	return call[counterfoil.WebhookCreated](ctx, c, request{doing: "rotating a webhook's secret", method: http.MethodPost, path: within(org, "webhooks", id, "rotate"),
		body: counterfoil.WebhookRotation{GraceSeconds: int64(grace / time.Second)}}, options)
}

// DeleteWebhook removes a webhook with what waits for it.
func (c *Client) DeleteWebhook(ctx context.Context, org, id string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "deleting a webhook", method: http.MethodDelete, path: within(org, "webhooks", id)}, options)
	return err
}

// TestWebhook has a webhook sent an event at once and says what came of it.
func (c *Client) TestWebhook(ctx context.Context, org, id string, options ...CallOption) (counterfoil.DeliveryAttempt, error) {
	return call[counterfoil.DeliveryAttempt](ctx, c, request{doing: "testing a webhook", method: http.MethodPost, path: within(org, "webhooks", id, "test")}, options)
}

// DeliveryQuery selects deliveries. The zero DeliveryQuery selects them all, latest first.
type DeliveryQuery struct {
	Status counterfoil.DeliveryStatus
	Cursor string // NextCursor of the page before
	Limit  int    // entries a page, at most 200; 0: 50
}

// ListDeliveries reads one page of the deliveries to a webhook.
func (c *Client) ListDeliveries(ctx context.Context, org, webhook string, q DeliveryQuery, options ...CallOption) (counterfoil.Page[counterfoil.Delivery], error) {
	return call[counterfoil.Page[counterfoil.Delivery]](ctx, c, request{doing: "listing deliveries", method: http.MethodGet, path: within(org, "webhooks", webhook, "deliveries"),
		query: params("status", string(q.Status), "cursor", q.Cursor, "limit", number(q.Limit))}, options)
}

// Deliveries yields every delivery that q selects, reading page after page. It ends with the first error.
func (c *Client) Deliveries(ctx context.Context, org, webhook string, q DeliveryQuery) iter.Seq2[counterfoil.Delivery, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Delivery], error) {
		q := q
		q.Cursor = cursor
		return c.ListDeliveries(ctx, org, webhook, q)
	})
}

// ReplayDelivery has an event sent to a webhook again, under the same id.
func (c *Client) ReplayDelivery(ctx context.Context, org, webhook, id string, options ...CallOption) (counterfoil.Delivery, error) {
	return call[counterfoil.Delivery](ctx, c, request{doing: "replaying a delivery", method: http.MethodPost, path: within(org, "webhooks", webhook, "deliveries", id, "replay")}, options)
}
