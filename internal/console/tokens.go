package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func tokenPages() []page {
	rows := []page{
		{method: get, path: "/o/{org}/tokens/{id}", who: member, show: (*visit).token},
		{method: get, path: "/o/{org}/tokens/{id}/edit", who: member, show: (*visit).editToken},
		{method: post, path: "/o/{org}/tokens/{id}/edit", who: member, show: (*visit).saveToken},
		{method: get, path: "/o/{org}/tokens/{id}/rotate", who: member, fresh: true, show: (*visit).askRotate},
		{method: post, path: "/o/{org}/tokens/{id}/rotate", who: member, fresh: true, show: (*visit).rotate},
		{method: get, path: "/o/{org}/tokens/{id}/finish", who: member, show: (*visit).askFinish},
		{method: post, path: "/o/{org}/tokens/{id}/finish", who: member, show: (*visit).finish},
		{method: post, path: "/o/{org}/tokens/{id}/pause", who: member, show: (*visit).pause},
		{method: get, path: "/o/{org}/tokens/{id}/revoke", who: member, show: (*visit).askRevoke},
		{method: post, path: "/o/{org}/tokens/{id}/revoke", who: member, show: (*visit).revoke},
		{method: post, path: "/o/{org}/token-summary", who: member, show: (*visit).summary},
		{method: get, path: "/o/{org}/all-tokens", who: member, needs: counterfoil.PermTokensRead, show: (*visit).allTokens},
		{method: post, path: "/o/{org}/all-tokens/revoke", who: member, needs: counterfoil.PermTokensWrite, show: (*visit).revokeMany},
		{method: get, path: "/o/{org}/integrations", who: member, needs: counterfoil.PermTokensWrite, show: (*visit).integrations},
	}
	for i := range shelves {
		s := &shelves[i]
		rows = append(rows,
			page{method: get, own: s.personal(), path: "/o/{org}" + s.path, who: member, needs: s.needs, show: func(v *visit) error { return v.tokens(s) }},
			page{method: get, own: s.personal(), path: "/o/{org}" + s.path + "/new", who: member, needs: s.needs, fresh: true, show: func(v *visit) error { return v.newToken(s) }},
			page{method: post, own: s.personal(), path: "/o/{org}" + s.path + "/new", who: member, needs: s.needs, fresh: true, form: s.path + "/new", show: func(v *visit) error { return v.createToken(s) }},
		)
	}
	return rows
}

// tokenList is a list of tokens as a page shows it.
type tokenList struct {
	*shelf // nil: every token of the organization
	path   string
	show   string // active, expiring, unused, expired, paused, revoked; empty: all but revoked
	sort   string
	text   string
	kind   counterfoil.Kind // of the whole list
	owner  string
	filter string // IP filter
	counts registry.TokenCounts
	page   counterfoil.Page[counterfoil.Token]
	paged  bool // not the first page
}

const tokensPerPage = 50

var tokenSorts = []string{"created_at", "name", "expires_at", "last_used_at"}

func (v *visit) tokens(s *shelf) error {
	l := tokenList{shelf: s, path: v.path("%s", s.path)}
	if err := v.readTokens(&l); err != nil {
		return err
	}
	return v.show(200, s.title, tokensPage(v, &l))
}

func (v *visit) allTokens() error {
	l := tokenList{path: v.path("/all-tokens"), kind: counterfoil.Kind(v.field("kind")), owner: v.field("owner"), filter: v.field("ip_filter")}
	if !slices.Contains(counterfoil.PolicyKinds, l.kind) {
		l.kind = ""
	}
	if err := v.readTokens(&l); err != nil {
		return err
	}
	return v.show(200, "All tokens", allTokensPage(v, &l))
}

// readTokens fills a list by what the address asks for. What it does not understand it passes over: an address that
// somebody kept still shows something.
func (v *visit) readTokens(l *tokenList) (err error) {
	l.show, l.sort, l.text = v.field("show"), v.field("sort"), v.field("q")
	if !slices.Contains(tokenSorts, l.sort) {
		l.sort = "created_at"
	}
	q := registry.TokenQuery{Kind: l.kind, Owner: l.owner, IPFilter: l.filter, Text: l.text, Sort: l.sort, Cursor: v.field("cursor"), Limit: tokensPerPage}
	if l.shelf != nil {
		q.Kind, q.Integration = l.shelf.kind, l.integration
		if l.personal() {
			q.Owner = v.here.MemberID
		}
	}
	switch l.show {
	case "expiring":
		q.Expiring = true
	case "unused":
		q.Unused = true
	case "active", "expired", "paused", "revoked":
		q.Status = counterfoil.Status(l.show)
	default:
		l.show = ""
	}
	l.paged = q.Cursor != ""
	ctx := v.r.Context()
	if l.page, err = v.c.Registry.ListTokens(ctx, v.caller(), v.org(), q); err != nil {
		return err
	}
	l.counts, err = v.c.Registry.CountTokens(ctx, v.caller(), v.org(), q)
	return err
}

// to is the address of the list with something of it changed: name, value, …; paging starts again.
func (l *tokenList) to(changes ...string) string {
	q := url.Values{}
	set := func(name, value string) {
		q.Del(name)
		if value != "" && !(name == "sort" && value == "created_at") {
			q.Set(name, value)
		}
	}
	set("show", l.show)
	set("sort", l.sort)
	set("q", l.text)
	set("kind", string(l.kind))
	set("owner", l.owner)
	set("ip_filter", l.filter)
	for i := 0; i+1 < len(changes); i += 2 {
		set(changes[i], changes[i+1])
	}
	if len(q) == 0 {
		return l.path
	}
	return l.path + "?" + q.Encode()
}

func (l *tokenList) first() string {
	if l.paged {
		return l.to()
	}
	return ""
}

func (l *tokenList) next() string {
	if l.page.NextCursor == nil {
		return ""
	}
	return l.to("cursor", *l.page.NextCursor)
}

// narrowed reports whether the list leaves out tokens because somebody asked for some.
func (l *tokenList) narrowed() bool {
	return l.show != "" || l.text != "" || l.paged || l.kind != "" || l.owner != "" || l.filter != ""
}

// tokenPath is the address of a page of one token.
func (v *visit) tokenPath(t *counterfoil.Token, rest string) string {
	return v.path("/tokens/%s%s", url.PathEscape(t.ID), rest)
}

// shown is the short form of a set of permissions: their titles are on the token's own page.
func shown(p counterfoil.Permissions) string {
	switch len(p) {
	case 0:
		return "None"
	case 1, 2:
		return strings.Join(p, ", ")
	}
	return p[0] + " and " + thousands(int64(len(p)-1)) + " more"
}
