package client

import (
	"context"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// Retention reads for how long an organization's log is kept.
func (c *Client) Retention(ctx context.Context, org string, options ...CallOption) (counterfoil.Retention, error) {
	return call[counterfoil.Retention](ctx, c, request{doing: "reading the retention", method: http.MethodGet, path: within(org, "retention")}, options)
}

// SetRetention sets for how many days an organization's log is kept, 30 at least; 0: for ever.
func (c *Client) SetRetention(ctx context.Context, org string, days int64, options ...CallOption) (counterfoil.Retention, error) {
	return call[counterfoil.Retention](ctx, c, request{doing: "setting the retention", method: http.MethodPut, path: within(org, "retention"), body: counterfoil.RetentionEdit{Days: days}}, options)
}

// UnsetRetention lets the instance's default hold again.
func (c *Client) UnsetRetention(ctx context.Context, org string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "setting the retention", method: http.MethodDelete, path: within(org, "retention")}, options)
	return err
}
