package registry

import (
	"net/netip"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

const (
	previewDays  = 30
	previewShown = 200
	previewPage  = 500
)

// preview judges the tokens of a kind, where filter names one those alone that have it as their own, under the rules as
// they are and as they would be, without an address and with each address that a token was used from. It adds to out. A
// token that is refused already is not counted.
func (w *work) preview(kind counterfoil.Kind, filter string, would *judge.Rules, out *counterfoil.PolicyPreview) error {
	since := w.tx.Now().Plus(-previewDays * 24 * 60 * 60)
	used, err := w.tx.UsesSince(kind, since)
	if err != nil {
		return err
	}
	uses := map[string][]store.Use{}
	for _, u := range used {
		uses[u.Token] = append(uses[u.Token], u)
	}
	owners := map[string]*store.Member{}
	for cursor := ""; ; {
		list, after, err := w.tx.Tokens(store.TokenFilter{Kind: kind, IPFilter: filter, Sort: "name", Limit: previewPage, Cursor: cursor})
		if err != nil {
			return err
		}
		for i := range list {
			t := &list[i].Token
			var holder *judge.Holder
			if t.Owner != "" {
				if owners[t.Owner] == nil {
					if owners[t.Owner], err = w.owner(t.Owner); err != nil {
						return err
					}
				}
				holder = w.rules.Holder(*owners[t.Owner])
			}
			code, requests := refusedBy(t, holder, &w.rules.Rules, would, uses[t.ID], w.tx.Now())
			out.RefusedRequests30d += requests
			if code == counterfoil.CodeOK {
				continue
			}
			out.RefusedTokens++
			if len(out.Tokens) < previewShown {
				out.Tokens = append(out.Tokens, counterfoil.RefusedToken{ID: t.ID, Name: t.Name, Code: code})
			}
		}
		if after == "" {
			return nil
		}
		cursor = after
	}
}

// refusedBy says why a token that is accepted now would be refused, and how many of its recorded uses; ok: it would not.
func refusedBy(t *store.Token, holder *judge.Holder, now, would *judge.Rules, uses []store.Use, at counterfoil.Instant) (counterfoil.Code, int64) {
	record := rules.Record(t)
	attempt := counterfoil.Attempt{Value: counterfoil.MatchCurrent, Audience: audienceOf(t)}
	judged := func(r *judge.Rules, ip netip.Addr, filters bool) counterfoil.Code {
		record, under, attempt := record, *r, attempt
		attempt.IP = ip
		if !filters {
			record.IPFilter = ""
			under.Policy(t.Kind).EnforcedIPFilter = nil
		}
		return judge.Use(&record, holder, &under, &attempt, at, nil)
	}
	if judged(now, netip.Addr{}, false) != counterfoil.CodeOK {
		return counterfoil.CodeOK, 0 // refused already
	}
	code, requests := judged(would, netip.Addr{}, false), int64(0)
	for _, u := range uses {
		ip, _ := netip.ParseAddr(u.IP)
		if judged(now, ip, true) != counterfoil.CodeOK {
			continue
		}
		if c := judged(would, ip, true); c != counterfoil.CodeOK {
			requests += u.Count
			if code == counterfoil.CodeOK {
				code = c
			}
		}
	}
	return code, requests
}

// audienceOf is where a token is used in the ordinary way.
func audienceOf(t *store.Token) counterfoil.Audience {
	switch {
	case t.Kind != counterfoil.KindIntegration:
		return counterfoil.AudienceProduct
	case t.Integration == counterfoil.IntegrationSplunk:
		return counterfoil.AudienceSplunk
	}
	return counterfoil.AudienceActivity
}
