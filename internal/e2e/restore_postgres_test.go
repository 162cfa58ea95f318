package e2e_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/jackc/pgx/v5"
)

// A replay that fails is no replay: the server does not serve, and the next one begins anew, whatever the one before ended.
func TestRestoreThatIsBrokenOff(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	in := serveNew(t, url)
	ctx, system := t.Context(), in.system()
	var made []counterfoil.Created
	for range 3 {
		one, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "x"})
		must(t, err)
		made = append(made, one)
		_, err = system.RevokeToken(ctx, in.Organization.ID, one.Token.ID, "")
		must(t, err)
	}
	in.stop(syscall.SIGTERM)
	ledger := filepath.Join(in.dir, "revocations.ledger")
	text, err := os.ReadFile(ledger)
	must(t, err)
	// Between the first and the others lie many that the database knows, or does not have.
	first, rest, _ := strings.Cut(string(text), "\n")
	for i := range 1000 {
		first += fmt.Sprintf("\n{\"token\":\"tok_%012d\"}", i)
	}
	must(t, os.WriteFile(ledger, []byte(first+"\n"+rest), 0o600))
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, "UPDATE tokens SET revoked_at=0, revoked_by='', revoked_reason='', receipt='', version=1")
	must(t, err)
	in.failsToStart(conn, "SELECT 1 FROM tokens WHERE id=$1 FOR UPDATE", made[1].Token.ID)
	in.start()
	for i, m := range made {
		if v, err := system.Verify(ctx, counterfoil.Question{Token: m.Secret}); err != nil || v.Active {
			t.Errorf("revoked token %d is good again (%v)", i, err)
		}
	}
}

// failsToStart launches the server on a database in which a query holds rows locked, and expects it not to serve.
func (in *instance) failsToStart(conn *pgx.Conn, query string, args ...any) {
	t, ctx := in.t, in.t.Context()
	t.Helper()
	_, err := conn.Exec(ctx, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = 300', current_database()); END $$")
	must(t, err)
	locked, err := conn.Begin(ctx)
	must(t, err)
	_, err = locked.Exec(ctx, query, args...)
	must(t, err)
	if err := in.launch(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-in.process.Done():
		if in.process.Err() == nil {
			t.Error("it ended as if all were well")
		}
	case <-time.After(patience):
		t.Error("the server serves though it could not end what the ledger says")
	}
	must(t, locked.Rollback(ctx))
}

// Nor is a database that fails at a provider's key taken for one that has no such key.
func TestRestoreThatFailsAtAProviderKey(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	in := serveNew(t, url)
	ctx, system := t.Context(), in.system()
	provider, err := system.CreateOrganization(ctx, counterfoil.OrganizationDraft{Name: "Provider", Provider: true})
	must(t, err)
	key, err := system.CreateProviderKey(ctx, counterfoil.ProviderKeyDraft{Name: "billing", Provider: provider.ID})
	must(t, err)
	must(t, system.RevokeProviderKey(ctx, provider.ID, key.ID))
	in.stop(syscall.SIGKILL)
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(ctx, "UPDATE provider_keys SET revoked_at=0, revoked_by=''")
	must(t, err)
	in.failsToStart(conn, "SELECT 1 FROM provider_keys FOR UPDATE")
	in.start()
	keys, err := system.ListProviderKeys(ctx, client.ProviderKeyQuery{Provider: provider.ID})
	must(t, err)
	if len(keys.Data) != 1 || keys.Data[0].RevokedAt == nil {
		t.Errorf("a provider's revoked key is good again: %+v", keys.Data)
	}
}

// A database that is put back beneath a server that runs revives nothing either: not for long, and not for the next start.
func TestRestoreBeneathAServer(t *testing.T) {
	for name, stop := range map[string]bool{"it goes on": false, "it is stopped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := postgrestest.Start(t, postgrestest.Options{})
			in := serveNew(t, server.URL())
			ctx, system := t.Context(), in.system()
			made, err := system.CreateToken(ctx, in.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "x"})
			must(t, err)
			there, err := url.Parse(server.URL())
			must(t, err)
			database := pgx.Identifier{strings.TrimPrefix(there.Path, "/")}.Sanitize()
			conn, err := pgx.Connect(ctx, server.AdminURL())
			must(t, err)
			defer conn.Close(context.Background())
			do := func(statements ...string) {
				t.Helper()
				for _, s := range statements {
					_, err := conn.Exec(ctx, s)
					must(t, err)
				}
			}
			in.stop(syscall.SIGTERM)
			do("CREATE DATABASE backup TEMPLATE " + database)
			in.start()
			_, err = system.RevokeToken(ctx, in.Organization.ID, made.Token.ID, "")
			must(t, err)
			do("ALTER DATABASE "+database+" ALLOW_CONNECTIONS false",
				"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
				"ALTER DATABASE "+database+" RENAME TO away", "ALTER DATABASE backup RENAME TO "+database)
			if stop {
				in.await("readyz", 200)
				must(t, in.process.Stop(syscall.SIGTERM, patience)) // with an error, where a connection that was cut was in use last
				in.process = nil
				in.start()
			}
			isDead := func() bool {
				v, err := system.Verify(ctx, counterfoil.Question{Token: made.Secret})
				return err == nil && v.Code == counterfoil.CodeTokenRevoked
			}
			deadline := time.Now().Add(patience)
			for !isDead() {
				if stop || time.Now().After(deadline) {
					t.Fatal("a revoked token is good again")
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
}
