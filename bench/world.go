//go:build linux

package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/store"
)

// world is a database with many tokens: organizations with members, half of the tokens personal, the other half the
// organizations' own. All of them hold asked and some more.
type world struct {
	config  server.Config
	system  string // a system token with every permission
	strings []string
	ids     []string
	orgs    []string // of each token
}

const (
	worldOrgs    = 100
	worldMembers = 10   // in each organization
	worldChunk   = 2000 // tokens a transaction

	asked = "devices:read"
)

// catalogueText is a catalogue of 48 permissions and 144 endpoints.
func catalogueText() string {
	var b strings.Builder
	b.WriteString("permissions:\n")
	nouns := strings.Fields("devices sites users alerts reports tags networks policies backups tickets invoices orders " +
		"products customers vendors shipments contracts projects tasks files folders comments labels webhooks")
	for _, noun := range nouns {
		fmt.Fprintf(&b, "  - {name: '%[1]s:read', title: Read %[1]s, group: %[1]s, description: Read %[1]s., kinds: [personal, organization], default: true, endpoints: ['GET /api/%[1]s', 'GET /api/%[1]s/{id}']}\n", noun)
		fmt.Fprintf(&b, "  - {name: '%[1]s:write', title: Write %[1]s, group: %[1]s, description: Write %[1]s., kinds: [personal, organization], endpoints: ['POST /api/%[1]s', 'PUT /api/%[1]s/{id}', 'PATCH /api/%[1]s/{id}', 'DELETE /api/%[1]s/{id}']}\n", noun)
	}
	b.WriteString("roles:\n  - {name: operator, permissions: [devices:read, devices:write, sites:read, sites:write, alerts:read, reports:read]}\n")
	return b.String()
}

// permissionSets are what tokens hold.
var permissionSets = []counterfoil.Permissions{
	counterfoil.NewPermissions(asked),
	counterfoil.NewPermissions(asked, "devices:write"),
	counterfoil.NewPermissions(asked, "sites:read"),
	counterfoil.NewPermissions(asked, "devices:write", "sites:read", "sites:write", "alerts:read", "reports:read"),
}

func worldConfig(dir, databaseURL string) server.Config {
	return server.Config{Dir: dir, DatabaseURL: databaseURL, AdminListen: "-", Logger: slog.New(slog.DiscardHandler)}
}

// newWorld prepares an empty database and puts n tokens into it. The caller closes the Core.
func newWorld(ctx context.Context, config server.Config, n int) (_ *world, core *server.Core, err error) {
	if core, err = server.Open(ctx, config); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			core.Close()
		}
	}()
	w := &world{config: config}
	answer, err := core.Registry.SetUp(ctx, registry.SetupRequest{Organization: "Bench", Email: "owner@bench.example", Catalogue: catalogueText()})
	if err != nil {
		return nil, nil, err
	}
	w.system = answer.SystemToken
	keys, err := secret.LoadKeyring(filepath.Join(config.Dir, "instance.key"))
	if err != nil {
		return nil, nil, err
	}
	for i := range worldOrgs {
		org := answer.Organization.ID
		if i > 0 {
			o, err := core.Registry.CreateOrganization(ctx, registry.Operator(), counterfoil.OrganizationDraft{Name: fmt.Sprintf("Customer %d", i)})
			if err != nil {
				return nil, nil, err
			}
			org = o.ID
		}
		if err := w.fill(ctx, core.Store, keys, org, n*(i+1)/worldOrgs-n*i/worldOrgs); err != nil {
			return nil, nil, err
		}
	}
	return w, core, nil
}

// fill gives an organization its members and n tokens.
func (w *world) fill(ctx context.Context, s *store.Store, keys *secret.Keyring, org string, n int) error {
	var members []string
	err := s.Update(ctx, org, store.ForRules, func(tx *store.Tx) error {
		members = members[:0]
		for i := range worldMembers {
			m, err := tx.InsertMember(counterfoil.Member{Email: fmt.Sprintf("m%d@%s.example", i, org[4:]), Name: fmt.Sprintf("Member %d", i),
				Roles: []string{"operator"}, Status: counterfoil.MemberActive})
			if err != nil {
				return err
			}
			members = append(members, m.ID)
		}
		return nil
	})
	for done := 0; done < n && err == nil; done += worldChunk {
		var made []store.Token
		for i := done; i < min(n, done+worldChunk); i++ {
			made = append(made, w.token(keys, org, members, i))
		}
		err = s.Update(ctx, org, store.ForTokens, func(tx *store.Tx) error {
			for _, t := range made {
				t.CreatedAt, t.RenewedAt = tx.Now(), tx.Now()
				t.ExpiresAt = tx.Now().Plus(90 * 24 * 60 * 60)
				if err := tx.InsertToken(t); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return err
}

func (w *world) token(keys *secret.Keyring, org string, members []string, i int) store.Token {
	t := store.Token{Kind: counterfoil.KindOrganization, Name: fmt.Sprintf("token %d", i), Permissions: permissionSets[i/2%len(permissionSets)], KeyID: keys.Current()}
	short := secret.Organization
	if i%2 == 1 {
		t.Kind, short = counterfoil.KindPersonal, secret.Personal
		t.Owner = members[i/2%len(members)]
	}
	value := secret.Mint("cfl", short)
	t.ID, t.Hint = "tok_"+value.ID(), value.Hint()
	t.Digest, _ = keys.Digest(t.KeyID, value.Reveal())
	w.strings, w.ids, w.orgs = append(w.strings, value.Reveal()), append(w.ids, t.ID), append(w.orgs, org)
	return t
}

// tokenColumns are those of the table of tokens that a copy has from its original.
const tokenColumns = `organization, kind, integration, owner, name, hint, search, permissions, ip_filter, digest, key_id, previous_digest,
	previous_key_id, previous_until, paused, created_at, created_by, renewed_at, expires_at, revoked_at, revoked_by, revoked_reason, receipt, version`

// multiply fills the table of tokens with copies, whose values nobody knows, until it has about n. Nobody may be serving it.
func (w *world) multiply(ctx context.Context, n int) error {
	driver, source := "sqlite", "file:"+filepath.Join(w.config.Dir, "counterfoil.db")
	if w.config.DatabaseURL != "" {
		driver, source = "pgx", w.config.DatabaseURL
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, fmt.Sprintf(`WITH RECURSIVE copies (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copies WHERE i < %d)
		INSERT INTO tokens (id, %s) SELECT substr(id, 1, 13) || substr(CAST(1000 + i AS TEXT), 2), %s FROM tokens, copies WHERE TRUE ON CONFLICT DO NOTHING`,
		n/len(w.ids)-1, tokenColumns, tokenColumns))
	return err
}
