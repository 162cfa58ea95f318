package client

import (
	"context"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// SplunkExport reads where the log is pushed to, and how far that has come.
func (c *Client) SplunkExport(ctx context.Context, org string, options ...CallOption) (counterfoil.SplunkExport, error) {
	return call[counterfoil.SplunkExport](ctx, c, request{doing: "reading the export", method: http.MethodGet, path: within(org, "exports", "splunk")}, options)
}

// SetSplunkExport pushes the log to a Splunk HTTP Event Collector. The draft is the whole of the settings, but for the token:
// an empty one leaves what is kept, unless scheme, host or port of the URL change.
func (c *Client) SetSplunkExport(ctx context.Context, org string, draft counterfoil.SplunkExportDraft, options ...CallOption) (counterfoil.SplunkExport, error) {
	return call[counterfoil.SplunkExport](ctx, c, request{doing: "setting the export", method: http.MethodPut, path: within(org, "exports", "splunk"), body: draft}, options)
}

// DeleteSplunkExport ends the push.
func (c *Client) DeleteSplunkExport(ctx context.Context, org string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "ending the export", method: http.MethodDelete, path: within(org, "exports", "splunk")}, options)
	return err
}

// TestSplunkExport sends a test event to the collector. What is wrong with the way there is in the answer and no error. It can
// take 20 seconds: see [WithTimeout].
func (c *Client) TestSplunkExport(ctx context.Context, org string, options ...CallOption) (counterfoil.ExportTest, error) {
	return call[counterfoil.ExportTest](ctx, c, request{doing: "testing the export", method: http.MethodPost, path: within(org, "exports", "splunk", "test")}, options)
}
