package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/counterfoil/counterfoil"
)

// GrantablePermission is a row of the catalogue, and whether the caller may put it on a token of its kinds.
type GrantablePermission struct {
	counterfoil.Permission
	Grantable bool `json:"grantable"`
}

// Permissions reads every permission of the catalogue, the service's own included.
func (c *Client) Permissions(ctx context.Context, org string, options ...CallOption) ([]GrantablePermission, error) {
	return list[GrantablePermission](ctx, c, "listing permissions", within(org, "permissions"), options)
}

var catalogue = path{"v1", "catalogue"}

// Catalogue reads the catalogue in force, as the text of its file.
func (c *Client) Catalogue(ctx context.Context, options ...CallOption) (source string, err error) {
	answer, err := call[struct {
		Source string `json:"source"`
	}](ctx, c, request{doing: "reading the catalogue", method: http.MethodGet, path: catalogue}, options)
	return answer.Source, err
}

// ApplyCatalogue puts a catalogue in force; false: it was in force already.
func (c *Client) ApplyCatalogue(ctx context.Context, source string, options ...CallOption) (applied bool, err error) {
	answer, err := call[struct {
		Applied bool `json:"applied"`
	}](ctx, c, request{doing: "applying the catalogue", method: http.MethodPut, path: catalogue, body: map[string]string{"source": source}}, options)
	return answer.Applied, err
}

// OpenAPI reads the API's own description, an OpenAPI 3.1 document. It needs no token.
func (c *Client) OpenAPI(ctx context.Context, options ...CallOption) (json.RawMessage, error) {
	return call[json.RawMessage](ctx, c, request{doing: "reading the API's description", method: http.MethodGet, path: path{"openapi.json"}}, options)
}
