package store

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil"
)

// listModel is the naive list: everything in memory, sorted and cut.
type listModel struct {
	tokens []ListedToken
	now    counterfoil.Instant
}

func (m *listModel) status(t Token, limits map[counterfoil.Kind]int64) counterfoil.Status {
	limit, limited := limits[t.Kind]
	switch {
	case t.RevokedAt != 0:
		return counterfoil.StatusRevoked
	case t.ExpiresAt != 0 && m.now >= t.ExpiresAt, limited && m.now >= t.RenewedAt.Plus(limit):
		return counterfoil.StatusExpired
	case t.Paused:
		return counterfoil.StatusPaused
	}
	return counterfoil.StatusActive
}

func (m *listModel) matches(t ListedToken, f TokenFilter) bool {
	status := m.status(t.Token, f.MaxLifetime)
	text := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	return (f.Kind == "" || f.Kind == t.Kind) && (f.Owner == "" || f.Owner == t.Owner) &&
		(f.IPFilter == "" || f.IPFilter == t.IPFilter) && (f.Text == "" || text(t.Name) || text(t.ID) || text(t.Hint)) &&
		(f.Status == status || f.Status == "" && status != counterfoil.StatusRevoked)
}

func compareListed(sort string, a, b ListedToken) int {
	expiry := func(t ListedToken) counterfoil.Instant {
		if t.ExpiresAt == 0 {
			return math.MaxInt64
		}
		return t.ExpiresAt
	}
	switch sort {
	case "name":
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	case "expires_at":
		return cmp.Or(cmp.Compare(expiry(a), expiry(b)), cmp.Compare(a.ID, b.ID))
	case "last_used_at":
		return cmp.Or(cmp.Compare(b.LastUsedAt, a.LastUsedAt), cmp.Compare(b.ID, a.ID))
	}
	return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(b.ID, a.ID))
}

// page is what a list answers after the last token of the page before (nil: the first), and whether there is more.
func (m *listModel) page(f TokenFilter, last *ListedToken) (ids []string, more bool) {
	var rest []ListedToken
	for _, t := range m.tokens {
		if m.matches(t, f) && (last == nil || compareListed(f.Sort, t, *last) > 0) {
			rest = append(rest, t)
		}
	}
	slices.SortFunc(rest, func(a, b ListedToken) int { return compareListed(f.Sort, a, b) })
	for _, t := range rest[:min(len(rest), f.Limit)] {
		ids = append(ids, t.ID)
	}
	return ids, len(rest) > f.Limit
}

// add draws tokens and stores them.
func (m *listModel) add(rt *rapid.T, t *testing.T, s *fixture, org string, most int) {
	drawn := rapid.SliceOfN(rapid.Custom(drawToken), 0, most).Draw(rt, "tokens")
	m.tokens = append(m.tokens, drawn...)
	var uses []Use
	s.write(t, org, func(tx *Tx) error {
		for _, l := range drawn {
			if err := tx.InsertToken(l.Token); err != nil {
				return err
			}
			if l.RevokedAt != 0 {
				l.Version = 1
				if err := tx.UpdateToken(l.Token); err != nil {
					return err
				}
			}
			if l.LastUsedAt != 0 {
				uses = append(uses, Use{Token: l.ID, IP: l.LastUsedIP, At: l.LastUsedAt, Count: 1})
			}
		}
		return nil
	})
	if err := s.RecordUses(t.Context(), uses); err != nil {
		t.Fatal(err)
	}
}

// drawToken draws from few values, so that keys tie and filters hit.
func drawToken(t *rapid.T) (l ListedToken) {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	moment := func(label string) counterfoil.Instant {
		return epoch + counterfoil.Instant(rapid.IntRange(-2, 2).Draw(t, label))*1e6
	}
	maybe := func(label string) counterfoil.Instant {
		if rapid.Bool().Draw(t, "has "+label) {
			return moment(label)
		}
		return 0
	}
	l.Token = newToken(tokenID())
	l.Kind = rapid.SampledFrom(counterfoil.PolicyKinds).Draw(t, "kind")
	l.Owner = pick("owner", "", "mem_1", "mem_2")
	l.Name = pick("name", "a", "B", "b", "Ärger", "ärger", "100%", "100_", `\`, "a b")
	l.IPFilter = pick("filter", "", "ipf_1", "ipf_2")
	l.Paused = rapid.Bool().Draw(t, "paused")
	l.Held = l.Paused && rapid.Bool().Draw(t, "held")
	l.CreatedAt, l.RenewedAt = moment("created"), moment("renewed")
	l.ExpiresAt, l.RevokedAt = maybe("expires"), maybe("revoked")
	if l.LastUsedAt = maybe("used"); l.LastUsedAt != 0 {
		l.LastUsedIP = "192.0.2.1"
	}
	return l
}

func drawFilter(t *rapid.T) TokenFilter {
	f := TokenFilter{
		Status: rapid.SampledFrom([]counterfoil.Status{"", "", counterfoil.StatusActive, counterfoil.StatusExpired, counterfoil.StatusRevoked, counterfoil.StatusPaused}).Draw(t, "status"),
		Sort:   rapid.SampledFrom([]string{"", "created_at", "name", "expires_at", "last_used_at"}).Draw(t, "sort"),
		Limit:  rapid.IntRange(1, 6).Draw(t, "limit"), MaxLifetime: map[counterfoil.Kind]int64{},
	}
	switch rapid.SampledFrom([]string{"", "", "", "kind", "owner", "filter", "text"}).Draw(t, "by") {
	case "kind":
		f.Kind = rapid.SampledFrom(counterfoil.PolicyKinds).Draw(t, "kind")
	case "owner":
		f.Owner = "mem_1"
	case "filter":
		f.IPFilter = "ipf_1"
	case "text":
		f.Text = rapid.SampledFrom([]string{"a", "B", "ÄR", "är", "%", "_", `\`, " "}).Draw(t, "text")
	}
	for _, kind := range counterfoil.PolicyKinds {
		if rapid.Bool().Draw(t, "limited") {
			f.MaxLifetime[kind] = int64(rapid.IntRange(1, 4).Draw(t, "lifetime"))
		}
	}
	return f
}

// Tokens come between two pages; the model says what the next page holds.
func testTokensLikeModel(t *testing.T, s *fixture) {
	s.clock.Store(int64(epoch)) // what is drawn lies around it
	rapid.Check(t, func(rt *rapid.T) {
		org := s.organization(t)
		m := &listModel{now: s.Now()}
		m.add(rt, t, s, org, 15)
		f := drawFilter(rt)
		var last *ListedToken
		for {
			var list []ListedToken
			var next string
			read(t, s, org, func(tx *Tx) (_ struct{}, err error) {
				list, next, err = tx.Tokens(f)
				return struct{}{}, err
			})
			want, more := m.page(f, last)
			var got []string
			for _, l := range list {
				got = append(got, l.ID)
				i := slices.IndexFunc(m.tokens, func(o ListedToken) bool { return o.ID == l.ID })
				if i < 0 || l.LastUsedAt != m.tokens[i].LastUsedAt || l.LastUsedIP != m.tokens[i].LastUsedIP || l.Organization != org {
					rt.Fatalf("listed %+v", l)
				}
			}
			if !slices.Equal(got, want) || (next != "") != more {
				rt.Fatalf("%+v\nlisted %v, more %v\nmodel  %v, more %v", f, got, next != "", want, more)
			}
			if next == "" {
				return
			}
			f.Cursor, last = next, &list[len(list)-1]
			m.add(rt, t, s, org, 2)
		}
	})
}
