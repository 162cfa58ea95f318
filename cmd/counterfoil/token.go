package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

type tokenCmd struct {
	Create  tokenCreateCmd                 `cmd:"" help:"Make a token. Its value is printed this once."`
	List    tokenListCmd                   `cmd:"" help:"List tokens."`
	Show    tokenShowCmd[inOrganization]   `cmd:"" help:"Show a token."`
	Edit    tokenEditCmd                   `cmd:"" help:"Change a token's name, permissions, expiry or IP filter. Its value stays."`
	Rotate  tokenRotateCmd[inOrganization] `cmd:"" help:"Give a token a new value, printed this once. Its id stays."`
	Old     tokenOldCmd[inOrganization]    `cmd:"" help:"Show who still uses the value before the last rotation."`
	Finish  tokenFinishCmd[inOrganization] `cmd:"" help:"End the value before the last rotation, before its grace does."`
	Pause   tokenPauseCmd[inOrganization]  `cmd:"" help:"Refuse a token until it is resumed."`
	Resume  tokenResumeCmd[inOrganization] `cmd:"" help:"Accept a paused token again."`
	Revoke  tokenRevokeCmd[inOrganization] `cmd:"" help:"End a token, for good."`
	Current tokenCurrentCmd                `cmd:"" help:"Show the token that asks."`
}

type systemTokenCmd struct {
	Create systemTokenCreateCmd       `cmd:"" help:"Make a system token. Its value is printed this once."`
	List   systemTokenListCmd         `cmd:"" help:"List system tokens."`
	Show   tokenShowCmd[inInstance]   `cmd:"" help:"Show a system token."`
	Edit   systemTokenEditCmd         `cmd:"" help:"Change a system token's name, permissions or expiry. Its value stays."`
	Rotate tokenRotateCmd[inInstance] `cmd:"" help:"Give a system token a new value, printed this once. Its id stays."`
	Old    tokenOldCmd[inInstance]    `cmd:"" help:"Show who still uses the value before the last rotation."`
	Finish tokenFinishCmd[inInstance] `cmd:"" help:"End the value before the last rotation, before its grace does."`
	Pause  tokenPauseCmd[inInstance]  `cmd:"" help:"Refuse a system token until it is resumed."`
	Resume tokenResumeCmd[inInstance] `cmd:"" help:"Accept a paused system token again."`
	Revoke tokenRevokeCmd[inInstance] `cmd:"" help:"End a system token, for good."`
}

// current, in place of a token's id, is the token that asks.
const current = "current"

// tokenForm is the form of an id. Text of that form is an id, whatever a token is named.
var tokenForm = regexp.MustCompile(`^tok_[0-9A-Za-z]{12}$`)

// tokenID finds the id of a token that was named by its id, by its name if only one has it, or as current. Where another
// token is named current, nobody knows which of the two is meant.
func tokenID(ctx context.Context, c *client.Client, org, name string) (string, error) {
	if tokenForm.MatchString(name) {
		return name, nil
	}
	ids, err := namedTokens(ctx, c, org, name, "")
	if name == current && (err == nil || refusedAs(err, counterfoil.CodeMissingPermission, counterfoil.CodeNotFound, counterfoil.CodeWrongAudience)) {
		// Whoever may not see a list names no other token by its name.
		t, err := c.CurrentToken(ctx)
		if others := slices.DeleteFunc(ids, func(id string) bool { return id == t.ID }); err == nil && len(others) > 0 {
			return "", fmt.Errorf("current is the token that asks, %s, but %s is named so: name the one you mean by its id", t.ID, strings.Join(others, ", "))
		}
		return t.ID, err
	}
	if err != nil {
		return "", err
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("there is no token %q here that is not revoked", name)
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf("%s are named %q: name one by its id: %s", count(len(ids), "token"), name, strings.Join(ids, ", "))
}

func refusedAs(err error, codes ...counterfoil.Code) bool {
	var refused *counterfoil.Error
	return errors.As(err, &refused) && slices.Contains(codes, refused.Code)
}

// namedTokens lists the ids of the tokens that have a name, with one status; empty: all but revoked.
func namedTokens(ctx context.Context, c *client.Client, org, name string, status counterfoil.Status) (ids []string, err error) {
	for t, err := range c.Tokens(ctx, org, client.TokenQuery{Text: name, Status: status, Limit: 200}) {
		if err != nil {
			return nil, err
		}
		if t.Name == name {
			ids = append(ids, t.ID)
		}
	}
	return ids, nil
}

func (s *session) showToken(t counterfoil.Token, why func(string) string) error {
	owner, filter, integration, lastUsed, revoked := "", "", "", "never", ""
	if t.Owner != nil {
		owner = fmt.Sprintf("%s <%s>", t.Owner.Name, t.Owner.Email)
	}
	if t.IPFilter != nil {
		filter = t.IPFilter.Name + " (" + t.IPFilter.ID + ")"
	}
	if t.Integration != nil {
		integration = string(*t.Integration)
	}
	if t.LastUsed != nil {
		lastUsed = exactly(&t.LastUsed.At, "")
		if t.LastUsed.IP != "" {
			lastUsed += " from " + t.LastUsed.IP
		}
	}
	if t.RevokedAt != nil {
		revoked = exactly(t.RevokedAt, "")
		if t.RevokedReason != nil {
			revoked += ": " + *t.RevokedReason
		}
	}
	expires := exactly(t.EffectiveExpiresAt, "never")
	if t.EffectiveExpiresAt != nil && (t.ExpiresAt == nil || !t.ExpiresAt.Equal(*t.EffectiveExpiresAt)) {
		expires += ", by the policy's longest lifetime"
	}
	return s.details("id", t.ID, "name", t.Name, "token", t.Hint, "kind", string(t.Kind), "integration", integration, "owner", owner, "status", string(t.Status),
		"permissions", permissionLines(t, why), "ip filter", filter, "created", exactly(&t.CreatedAt, ""), "expires", expires, "last used", lastUsed,
		"old value", exactlyUntil(t.PreviousValidUntil), "revoked", revoked)
}

func exactlyUntil(t *time.Time) string {
	if t == nil {
		return ""
	}
	return "accepted until " + exact(*t)
}

// permissionLines lists what a token was given, one a line, and says what of it has no effect now (P7).
func permissionLines(t counterfoil.Token, why func(string) string) string {
	var b strings.Builder
	for _, p := range t.Permissions {
		b.WriteString(p)
		if !t.EffectivePermissions.Has(p) {
			b.WriteString("  (no effect: " + why(p) + ")")
		}
		b.WriteByte('\n')
	}
	if b.Len() == 0 {
		return "none"
	}
	return b.String()
}

// tokenList is the flags that narrow a list of tokens.
type tokenList struct {
	Status string `enum:",active,expired,revoked,paused" default:"" placeholder:"STATUS" help:"active, expired, revoked or paused. Default: all but revoked."`
	Search string `short:"q" placeholder:"TEXT" help:"Part of the name, the id or the hint."`
	Sort   string `enum:"name,created_at,expires_at,last_used_at" default:"created_at" placeholder:"FIELD" help:"name, created_at, expires_at or last_used_at. Default created_at."`
}

func (f tokenList) query() client.TokenQuery {
	return client.TokenQuery{Status: counterfoil.Status(f.Status), Text: f.Search, Sort: f.Sort, Limit: 200}
}

type tokenListCmd struct {
	remote         `embed:""`
	inOrganization `embed:""`
	tokenList      `embed:""`
	Kind           string `enum:",personal,organization,integration" default:"" placeholder:"KIND" help:"personal, organization or integration. Default: all."`
	Owner          string `placeholder:"MEMBER" help:"One member's, by id or e-mail address."`
	IPFilter       string `name:"ip-filter" placeholder:"FILTER" help:"Those that have this IP filter as their own, by id or name."`
}

func (tokenListCmd) Help() string {
	return "Example:\n\n\tcounterfoil token list --sort last_used_at"
}

func (c *tokenListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	q := c.query()
	q.Kind, q.IPFilter = counterfoil.Kind(c.Kind), c.IPFilter
	if c.Owner != "" {
		if q.Owner, err = memberID(ctx, api, s.within(c.Org), c.Owner); err != nil {
			return err
		}
	}
	return s.listTokens(ctx, api, s.within(c.Org), q, c.JSON)
}

type systemTokenListCmd struct {
	remote    `embed:""`
	tokenList `embed:""`
}

func (systemTokenListCmd) Help() string { return "Example:\n\n\tcounterfoil system-token list" }

func (c *systemTokenListCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	return s.listTokens(ctx, api, client.System, c.query(), c.JSON)
}

func (s *session) listTokens(ctx context.Context, api *client.Client, org string, q client.TokenQuery, asJSON bool) error {
	tokens, err := collect(api.Tokens(ctx, org, q))
	if err != nil {
		return err
	}
	return list(s, asJSON, tokens, "No tokens.", []string{"ID", "NAME", "TOKEN", "STATUS", "OWNER", "EXPIRES", "LAST USED", "PERMISSIONS"}, func(t counterfoil.Token) []string {
		owner, lastUsed := "", "never"
		if t.Owner != nil {
			owner = t.Owner.Email
		}
		if t.LastUsed != nil {
			lastUsed = relative(t.LastUsed.At, time.Now())
		}
		return []string{t.ID, t.Name, t.Hint, string(t.Status), owner, since(t.EffectiveExpiresAt, "never"), lastUsed, abridged(t.Permissions)}
	})
}

// abridged is the first of a set, and how many more there are.
func abridged(set []string) string {
	if len(set) <= 2 {
		return strings.Join(set, ", ")
	}
	return fmt.Sprintf("%s and %d more", set[0], len(set)-1)
}

type tokenShowCmd[P place] struct {
	remote `embed:""`
	In     P      `embed:""`
	ID     string `arg:"" name:"token" help:"The token's id, or its name."`
}

func (c tokenShowCmd[P]) Help() string {
	return "Example:\n\n\tcounterfoil " + c.In.noun() + " show tok_4fZr81bQx0Lm"
}

func (c *tokenShowCmd[P]) Run(ctx context.Context, s *session) error {
	api, id, err := c.find(ctx, s, c.In, c.ID)
	if err != nil {
		return err
	}
	t, err := api.Token(ctx, c.In.place(), id)
	if err != nil {
		return err
	}
	return s.token(ctx, api, c.In.place(), t, c.JSON)
}

// find is what every verb about one token begins with.
func (r *remote) find(ctx context.Context, s *session, in place, name string) (api *client.Client, id string, err error) {
	if api, err = r.dial(s); err != nil {
		return nil, "", err
	}
	id, err = tokenID(ctx, api, s.within(in.place()), name)
	return api, id, err
}

// token prints a token; org is where it was found.
func (s *session) token(ctx context.Context, api *client.Client, org string, t counterfoil.Token, asJSON bool) error {
	if asJSON {
		return s.json(t)
	}
	without := func(p string) bool { return !t.EffectivePermissions.Has(p) }
	var known []client.GrantablePermission
	if t.Kind != counterfoil.KindSystem && slices.ContainsFunc(t.Permissions, without) {
		known, _ = api.Permissions(ctx, org) // else it says what it can
	}
	return s.showToken(t, func(name string) string { return lost(t, name, known) })
}

// lost says why a permission of a token has no effect. Known is the catalogue's, empty where it could not be read.
func lost(t counterfoil.Token, name string, known []client.GrantablePermission) string {
	at := slices.IndexFunc(known, func(p client.GrantablePermission) bool { return p.Name == name })
	switch {
	case t.Kind == counterfoil.KindSystem || known != nil && at < 0:
		return "not in the catalogue now"
	case at >= 0 && !slices.Contains(known[at].Kinds, t.Kind):
		return "not for this kind of token now"
	case t.Kind == counterfoil.KindPersonal:
		return "its owner does not hold it now"
	}
	return "the catalogue does not allow it now"
}

type tokenCurrentCmd struct {
	remote `embed:""`
}

func (tokenCurrentCmd) Help() string { return "Example:\n\n\tcounterfoil token current" }

func (c *tokenCurrentCmd) Run(ctx context.Context, s *session) error {
	api, err := c.dial(s)
	if err != nil {
		return err
	}
	t, err := api.CurrentToken(ctx)
	if err != nil {
		return err
	}
	return s.token(ctx, api, client.Current, t, c.JSON)
}
