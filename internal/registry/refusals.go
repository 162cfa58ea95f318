package registry

import (
	"context"
	"encoding/json"
	"net/netip"
	"regexp"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

// Refusal explains the reference of a refused check (P9).
func (r *Registry) Refusal(ctx context.Context, c Caller, org, id string) (out counterfoil.Refusal, err error) {
	if r.NotedRefusals != nil {
		r.NotedRefusals()
	}
	err = r.view(ctx, c, org, OpReadRefusal, func(w *work) error {
		stored, found, err := w.tx.Refusal(id)
		if err != nil {
			return err
		}
		if !found {
			return errNotFound
		}
		out, err = refusalOf(stored)
		return err
	})
	return out, err
}

// RefusalQuery narrows a list of refusals. Empty fields do not narrow.
type RefusalQuery struct {
	Token  string // id
	Code   counterfoil.Code
	IP     string
	Cursor string // NextCursor of the page before
	Limit  int
}

var refusalID = regexp.MustCompile(`^ref_[0-9a-z]+$`)

// Refusals lists an organization's refused checks of the last 40 days, those that began last first (P9).
func (r *Registry) Refusals(ctx context.Context, c Caller, org string, q RefusalQuery) (page counterfoil.Page[counterfoil.Refusal], err error) {
	if r.NotedRefusals != nil && q.Cursor == "" {
		r.NotedRefusals()
	}
	page.Data = []counterfoil.Refusal{}
	err = r.view(ctx, c, org, OpReadRefusal, func(w *work) error {
		if q.Cursor != "" && !refusalID.MatchString(q.Cursor) {
			return cursorError(store.ErrCursor)
		}
		if ip, err := netip.ParseAddr(q.IP); err == nil {
			q.IP = ip.Unmap().WithZone("").String() // as it is noted
		}
		list, err := w.tx.Refusals(store.RefusalFilter{Token: q.Token, Code: q.Code, IP: q.IP, Before: q.Cursor, Limit: q.Limit + 1})
		if err != nil {
			return err
		}
		if len(list) > q.Limit {
			list = list[:q.Limit]
			page.NextCursor = &list[q.Limit-1].ID
		}
		for _, stored := range list {
			one, err := refusalOf(stored)
			if err != nil {
				return err
			}
			page.Data = append(page.Data, one)
		}
		return nil
	})
	return page, err
}

func refusalOf(s store.Refusal) (counterfoil.Refusal, error) {
	out := counterfoil.Refusal{ID: s.ID, TokenID: s.Token, Code: s.Code, Message: judge.Message(s.Code), IP: s.IP, Endpoint: s.Endpoint,
		Asked: counterfoil.NewPermissions(s.Permissions...), FirstAt: s.FirstAt.Time(), LastAt: s.LastAt.Time(), Count: s.Count}
	err := json.Unmarshal([]byte(s.Trace), &out.Trace)
	return out, err
}
