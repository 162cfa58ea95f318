package client

import (
	"context"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// QueryActivity reads one page of a span of time: for integration tokens made for custom clients or Sentinel, and for
// tokens of the organization.
func (c *Client) QueryActivity(ctx context.Context, q counterfoil.ActivityQuery, options ...CallOption) (counterfoil.ActivityPage, error) {
	return call[counterfoil.ActivityPage](ctx, c, request{doing: "querying activity", method: http.MethodPost, path: path{"activities", "query"}, body: q}, options)
}

// SplunkEvents reads one page of the log with an integration token made for Splunk. After is NextCursor of the page
// before; limit is at most 1000, and 0 is 100.
func (c *Client) SplunkEvents(ctx context.Context, after string, limit int, options ...CallOption) (counterfoil.EventPage, error) {
	return call[counterfoil.EventPage](ctx, c, request{doing: "reading events for Splunk", method: http.MethodGet, path: path{"v1", "integrations", "splunk", "events"}, query: params("after", after, "limit", number(limit))}, options)
}

// WriteEvents adds up to 1000 events of the product's own to an organization's log, all of them or none. Events with an
// ID of their own can be sent again: what was written before is not written again.
func (c *Client) WriteEvents(ctx context.Context, org string, events []counterfoil.EventDraft, options ...CallOption) ([]counterfoil.EventRef, error) {
	body := struct {
		Events []counterfoil.EventDraft `json:"events"`
	}{events}
	written, err := call[counterfoil.EventsWritten](ctx, c, request{doing: "writing events", method: http.MethodPost, path: within(org, "events"), body: body}, options)
	return written.Data, err
}
