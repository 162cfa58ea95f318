package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/server"
)

// The tokens that quickstart makes, and how long they live.
const (
	tryoutName    = "quickstart"
	tryoutOwner   = "quickstart: owner"
	tryoutGateway = "quickstart: gateway"
	tryoutLife    = 24 * time.Hour
)

// tryout is what quickstart prints.
type tryout struct{ URL, Console, Email, SignIn, Permission, Token, Owner, System string }

// issue makes the tokens that are not there yet, in the organization that quickstart set up.
func (t *tryout) issue(ctx context.Context, running *server.Server) error {
	r := running.Registry
	org, err := r.Resolve(ctx, registry.Operator(), example)
	if err != nil {
		return err
	}
	owner, err := ownerOf(ctx, r, org)
	t.Email = owner.Email
	if err != nil {
		return err
	}
	personal, pick, err := personalPermissions(ctx, r, org)
	if err != nil {
		return err
	}
	t.Permission = pick
	if t.SignIn, err = signInLink(ctx, running, org, owner); err != nil {
		return err
	}
	if err := t.supersede(ctx, r, org, owner); err != nil {
		return err
	}
	life := int64(tryoutLife / time.Second)
	for _, wanted := range []struct {
		to    *string
		org   string
		draft counterfoil.Draft
	}{
		{&t.Token, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: tryoutName, Owner: owner.ID, Permissions: named(pick)}},
		{&t.Owner, org, counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: tryoutOwner, Owner: owner.ID, Permissions: personal}},
		{&t.System, "", counterfoil.Draft{Kind: counterfoil.KindSystem, Name: tryoutGateway, Permissions: []string{counterfoil.PermTokensVerify}}},
	} {
		if *wanted.to != "" {
			continue
		}
		wanted.draft.ExpiresIn = &life
		created, err := r.CreateToken(ctx, registry.Operator(), wanted.org, wanted.draft)
		if err != nil {
			return err
		}
		*wanted.to = created.Secret
	}
	return nil
}

// supersede revokes the tokens that earlier starts made and printed. One whose expiry somebody has changed is theirs, and
// stays.
func (t *tryout) supersede(ctx context.Context, r *registry.Registry, org string, owner counterfoil.Member) error {
	personal := []string{tryoutName, tryoutOwner}
	if owner.Email == exampleOwner && t.Owner == "" { // what the first start printed came from its set-up
		personal = append(personal, registry.SetupOwnerToken)
	}
	for _, in := range []struct {
		org   string
		query registry.TokenQuery
		names []string
	}{
		{org, registry.TokenQuery{Kind: counterfoil.KindPersonal, Owner: owner.ID, Limit: 200}, personal},
		{"", registry.TokenQuery{Text: tryoutName, Limit: 200}, []string{tryoutGateway}},
	} {
		for more := true; more; {
			page, err := r.ListTokens(ctx, registry.Operator(), in.org, in.query)
			if err != nil {
				return err
			}
			for i := range page.Data {
				old := &page.Data[i]
				if old.Status == counterfoil.StatusRevoked || !slices.Contains(in.names, old.Name) || old.ExpiresAt == nil || !old.ExpiresAt.Equal(old.CreatedAt.Add(tryoutLife)) {
					continue
				}
				if _, err := r.RevokeToken(ctx, registry.Operator(), in.org, old.ID, "quickstart was started again"); err != nil {
					return err
				}
			}
			if more = page.NextCursor != nil; more {
				in.query.Cursor = *page.NextCursor
			}
		}
	}
	return nil
}

// signInLink makes the address at which the owner sets a first password; empty where they have a way to sign in, or find
// one without it.
func signInLink(ctx context.Context, running *server.Server, org string, owner counterfoil.Member) (string, error) {
	if has, err := running.Identity.HasWayIn(ctx, owner.UserID); err != nil || has {
		return "", err
	}
	link, err := running.Registry.LinkMember(ctx, registry.Operator(), org, owner.ID)
	if errors.Is(err, counterfoil.Refuse(counterfoil.CodeMissingPermission, "")) {
		return "", nil
	}
	return link.URL, err
}

// ownerOf finds an active owner of the organization.
func ownerOf(ctx context.Context, r *registry.Registry, org string) (counterfoil.Member, error) {
	for cursor := ""; ; {
		page, err := r.Members(ctx, registry.Operator(), org, "", cursor, 200)
		if err != nil {
			return counterfoil.Member{}, err
		}
		for _, m := range page.Data {
			if m.Status == counterfoil.MemberActive && slices.Contains(m.Roles, counterfoil.RoleOwner) {
				return m, nil
			}
		}
		if page.NextCursor == nil {
			return counterfoil.Member{}, counterfoil.Refuse(counterfoil.CodeNotFound, "The example organization has no active owner.")
		}
		cursor = *page.NextCursor
	}
}

// personalPermissions lists what a personal token can hold, and picks one of the product's to try: devices:read where
// the catalogue has it. Pick is empty when the catalogue has none.
func personalPermissions(ctx context.Context, r *registry.Registry, org string) (all []string, pick string, err error) {
	rows, err := r.Permissions(ctx, registry.Operator(), org)
	for _, row := range rows {
		if !slices.Contains(row.Kinds, counterfoil.KindPersonal) {
			continue
		}
		all = append(all, row.Name)
		if (pick == "" || row.Name == "devices:read") && !counterfoil.IsReserved(row.Name) {
			pick = row.Name
		}
	}
	return all, pick, err
}

func named(permission string) []string {
	if permission == "" {
		return nil
	}
	return []string{permission}
}

func (t tryout) text() string {
	query, asked := "", ""
	if t.Permission != "" {
		query, asked = "?permission="+t.Permission, fmt.Sprintf(`,"permissions":[%q]`, t.Permission)
	}
	pages := "sign in as " + t.Email + ":\n\n  " + t.Console + "\n"
	if t.SignIn != "" {
		pages = "set a password for the owner, " + t.Email + ", and sign in:\n\n  " + t.SignIn + "\n\n  It is good once, for 24 h. Afterwards: " + t.Console + "\n"
	}
	return strings.NewReplacer("{pages}", pages, "{command}", quoted(os.Args[0]), "{url}", t.URL, "{token}", t.Token, "{owner}", t.Owner, "{system}", t.System, "{query}", query, "{asked}", asked,
		"{permission}", t.Permission).Replace(`
A token, good for {permission} and for 24 h:

  {token}

Is it good? As a gateway asks, with the client's own token:

  curl -i -H "Authorization: Bearer {token}" "{url}/v1/authorize{query}"

As a backend asks, with a token of its own:

  curl -s {url}/v1/verify -H "Authorization: Bearer {system}" -H "Content-Type: application/json" -d '{"token":"{token}"{asked}}'

Revoke it, then ask again:

  curl -s -X DELETE -H "Authorization: Bearer {token}" {url}/v1/tokens/current

The console, in a browser: {pages}
To read about every endpoint, and to try them: {url}/docs

To manage tokens from another terminal, as the owner:

  export COUNTERFOIL_URL={url} COUNTERFOIL_TOKEN={owner}
  {command} token list

Ctrl-C stops it. The next start prints new tokens, and revokes these.
`)
}
