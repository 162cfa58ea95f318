package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// orNull is a member that may be left out, null, or a T.
type orNull[T any] struct {
	set   bool
	value *T
}

// UnmarshalJSON is called only when the member is there.
func (o *orNull[T]) UnmarshalJSON(b []byte) error {
	o.set = true
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	return json.Unmarshal(b, &o.value)
}

// Schema is T's, or null.
func (o orNull[T]) Schema(r huma.Registry) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[T]())
	s.Nullable = true
	return &s
}

func (c *call) createToken(d counterfoil.Draft) (a counterfoil.Created, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.CreateToken(c.r.Context(), c.caller, org, d)
}

// systemDraft asks for a system token.
type systemDraft struct {
	Name        string           `json:"name" minLength:"1" maxLength:"100"`
	Kind        counterfoil.Kind `json:"kind,omitempty" enum:"system"`
	Permissions []string         `json:"permissions,omitempty" maxItems:"500" doc:"No more than the calling token holds."`
	ExpiresIn   *int64           `json:"expires_in,omitempty" minimum:"1" doc:"Seconds from now."`
	ExpiresAt   *time.Time       `json:"expires_at,omitempty"`
}

func (c *call) createSystemToken(d systemDraft) (counterfoil.Created, error) {
	return c.Registry.CreateToken(c.r.Context(), c.caller, "", counterfoil.Draft{
		Kind: counterfoil.KindSystem, Name: d.Name, Permissions: d.Permissions, ExpiresIn: d.ExpiresIn, ExpiresAt: d.ExpiresAt})
}

// tokensOrg is the organization of a token route; the system's routes have none.
func (c *call) tokensOrg() (string, error) {
	if c.route.tag == tagSystem {
		return "", nil
	}
	return c.org()
}

func (c *call) listTokens() (a counterfoil.Page[counterfoil.Token], err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	return c.Registry.ListTokens(c.r.Context(), c.caller, org, registry.TokenQuery{
		Kind: counterfoil.Kind(c.query["kind"]), Status: counterfoil.Status(c.query["status"]), Owner: c.query["owner"],
		IPFilter: c.query["ip_filter"], Text: c.query["q"], Sort: c.query["sort"], Cursor: c.query["cursor"], Limit: c.limit()})
}

func (c *call) readToken() (a counterfoil.Token, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	return c.Registry.Token(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

// tokenEdit changes what is given.
type tokenEdit struct {
	Name        *string           `json:"name,omitempty" minLength:"1" maxLength:"100"`
	Permissions *[]string         `json:"permissions,omitempty" maxItems:"500"`
	ExpiresAt   orNull[time.Time] `json:"expires_at,omitempty" doc:"Null: no expiry, where the policy allows it."`
	IPFilter    orNull[string]    `json:"ip_filter,omitempty" doc:"An IP filter's id or name; null: none of its own."`
	Paused      *bool             `json:"paused,omitempty"`
}

func (c *call) editToken(e tokenEdit) (a counterfoil.Token, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	edit := counterfoil.Edit{Name: e.Name, Permissions: e.Permissions, Paused: e.Paused}
	if e.ExpiresAt.set {
		edit.ExpiresAt = &time.Time{}
		if e.ExpiresAt.value != nil {
			edit.ExpiresAt = e.ExpiresAt.value
			if e.ExpiresAt.value.IsZero() { // the year 1 is a time, and past
				c.fault("/expires_at", "the expiry is in the past")
				c.caller.Faults = c.faults
			}
		}
	}
	if e.IPFilter.set {
		edit.IPFilter = new(string)
		if e.IPFilter.value != nil {
			edit.IPFilter = e.IPFilter.value
		}
	}
	a, receipt, err := c.Registry.EditToken(c.r.Context(), c.caller, org, c.r.PathValue("id"), edit)
	c.receipt(receipt)
	return a, err
}

// revocation says why.
type revocation struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Kept with the token and in the log."`
}

func (c *call) revokeToken(b revocation) (a counterfoil.Revoked, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	a, err = c.Registry.RevokeToken(c.r.Context(), c.caller, org, c.r.PathValue("id"), b.Reason)
	c.receipt(a.Receipt)
	return a, err
}

func (c *call) revokeCurrent(b revocation) (counterfoil.Revoked, error) {
	a, err := c.Registry.RevokeCurrentToken(c.r.Context(), c.caller, b.Reason)
	c.receipt(a.Receipt)
	return a, err
}

// rotation says how long the old value is still good.
type rotation struct {
	GraceSeconds int64 `json:"grace_seconds,omitempty" minimum:"0" maximum:"604800" doc:"How long the old value is still accepted; 0, the default, ends it at once."`
}

func (c *call) rotateToken(b rotation) (a counterfoil.Rotated, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	a, err = c.Registry.RotateToken(c.r.Context(), c.caller, org, c.r.PathValue("id"), b.GraceSeconds)
	c.receipt(a.Receipt)
	return a, err
}

func (c *call) readPrevious() (a counterfoil.PreviousValue, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	return c.Registry.PreviousValue(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

// quiet says for how long nobody may have used the old value.
type quiet struct {
	QuietSeconds int64 `json:"quiet_seconds,omitempty" minimum:"0" maximum:"604800" doc:"Refuse with in_use where the value was used within so many seconds; 0, the default, ends it in any case."`
}

func (c *call) endPrevious(b quiet) (a counterfoil.Finished, err error) {
	org, err := c.tokensOrg()
	if err != nil {
		return a, err
	}
	a, err = c.Registry.EndPreviousValue(c.r.Context(), c.caller, org, c.r.PathValue("id"), b.QuietSeconds)
	if a.Receipt != nil {
		c.receipt(*a.Receipt)
	}
	return a, err
}

func (c *call) currentToken() (counterfoil.Token, error) {
	return c.Registry.CurrentToken(c.r.Context(), c.caller)
}

func (c *call) readReceipt() (counterfoil.Receipt, error) {
	return c.Registry.Receipt(c.r.Context(), c.caller, c.r.PathValue("id"))
}

func (c *call) listRefusals() (a counterfoil.Page[counterfoil.Refusal], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Refusals(c.r.Context(), c.caller, org, registry.RefusalQuery{Token: c.query["token"], Code: counterfoil.Code(c.query["code"]), IP: c.query["ip"],
		Cursor: c.query["cursor"], Limit: c.limit()})
}

func (c *call) readRefusal() (a counterfoil.Refusal, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Refusal(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}
