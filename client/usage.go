package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/counterfoil/counterfoil"
)

// UsageQuery selects rows of usage. From and To are days (2026-11-26) or months (2026-11), in UTC; empty: the one that runs.
type UsageQuery struct {
	Provider     string // from a system credential: the provider, by id or slug
	From, To     string
	Organization string // an id; empty: all
	Cursor       string // NextCursor of the page before
	Limit        int    // entries a page, at most 200; 0: 50
}

func (q UsageQuery) params(unit, format string) url.Values {
	return params("provider", q.Provider, unit+"_from", q.From, unit+"_to", q.To, "organization", q.Organization, "format", format, "cursor", q.Cursor, "limit", number(q.Limit))
}

func (c *Client) usage(ctx context.Context, path path, query url.Values, options []CallOption) (counterfoil.Page[counterfoil.Usage], error) {
	return call[counterfoil.Page[counterfoil.Usage]](ctx, c, request{doing: "reading usage", method: http.MethodGet, path: path, query: query}, options)
}

// ListDailyUsage reads one page of usage by day.
func (c *Client) ListDailyUsage(ctx context.Context, q UsageQuery, options ...CallOption) (counterfoil.Page[counterfoil.Usage], error) {
	return c.usage(ctx, provider("usage", "daily"), q.params("date", ""), options)
}

// ListMonthlyUsage reads one page of usage by month.
func (c *Client) ListMonthlyUsage(ctx context.Context, q UsageQuery, options ...CallOption) (counterfoil.Page[counterfoil.Usage], error) {
	return c.usage(ctx, provider("usage", "monthly"), q.params("month", ""), options)
}

// MonthlyUsage yields every row of usage by month that q selects, reading page after page. It ends with the first error.
func (c *Client) MonthlyUsage(ctx context.Context, q UsageQuery) iter.Seq2[counterfoil.Usage, error] {
	return follow(q.Cursor, func(cursor string) (counterfoil.Page[counterfoil.Usage], error) {
		q := q
		q.Cursor = cursor
		return c.ListMonthlyUsage(ctx, q)
	})
}

// DailyUsageCSV reads every row of usage by day that q selects, as CSV.
func (c *Client) DailyUsageCSV(ctx context.Context, q UsageQuery) ([]byte, error) {
	_, body, err := c.exchange(ctx, &request{doing: "reading usage", method: http.MethodGet, path: provider("usage", "daily"), query: q.params("date", "csv")}, nil)
	return body, err
}

// MonthlyUsageCSV reads every row of usage by month that q selects, as CSV.
func (c *Client) MonthlyUsageCSV(ctx context.Context, q UsageQuery) ([]byte, error) {
	_, body, err := c.exchange(ctx, &request{doing: "reading usage", method: http.MethodGet, path: provider("usage", "monthly"), query: q.params("month", "csv")}, nil)
	return body, err
}

// CorrectUsage says what should have been billed of an organization for a final month. The answer is what it adds to the
// report of the month that runs. It takes [IdempotencyKey].
func (c *Client) CorrectUsage(ctx context.Context, correction counterfoil.UsageCorrection, options ...CallOption) (counterfoil.UsageAdjustments, error) {
	return call[counterfoil.UsageAdjustments](ctx, c, request{doing: "correcting usage", method: http.MethodPost, path: provider("usage", "adjustments"), query: named(correction.Provider), body: correction, once: true}, options)
}
