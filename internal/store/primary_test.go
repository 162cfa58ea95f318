package store

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// Of several hosts in the URL the primary is taken, also where it is not the first that answers and the URL does not ask for it: a
// standby that lags knows nothing of the last revocations.
func TestPrimaryOfSeveralHosts(t *testing.T) {
	t.Parallel()
	standby, primary := postgrestest.Start(t, postgrestest.Options{}), postgrestest.Start(t, postgrestest.Options{})
	there, here := must(url.Parse(standby.URL())), must(url.Parse(primary.URL()))
	password, _ := there.User.Password()
	admin := must(pgx.Connect(t.Context(), primary.AdminURL()))
	defer admin.Close(context.Background())
	must(admin.Exec(t.Context(), "ALTER ROLE "+there.User.Username()+" PASSWORD '"+password+"'"))
	dir := ask(t, standby.AdminURL(), "SHOW data_directory")
	if err := os.WriteFile(filepath.Join(dir, "standby.signal"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := standby.Restart(); err != nil {
		t.Fatal(err)
	}
	if is := ask(t, standby.URL(), "SELECT pg_is_in_recovery()::text"); is != "true" {
		t.Fatalf("a standby says of itself %s", is)
	}
	if _, err := tryOpen(t, Config{DatabaseURL: standby.URL()}); err == nil || !strings.Contains(err.Error(), "standby") {
		t.Errorf("a node on a standby alone: %v", err)
	}
	there.Host += "," + here.Host
	for _, wish := range []string{"", "&target_session_attrs=any", "&target_session_attrs=read-write", "&target_session_attrs=prefer-standby"} {
		there.RawQuery = here.RawQuery + wish
		s := open(t, Config{DatabaseURL: there.String()})
		logged(t, s, "it writes")
		if read(t, s, "", func(tx *Tx) (is bool, err error) { return is, tx.q.row("SELECT pg_is_in_recovery()").Scan(&is) }) {
			t.Errorf("%q: it reads from the standby", wish)
		}
	}
}

// ask returns what a server says in one field.
func ask(t *testing.T, address, query string) (field string) {
	t.Helper()
	conn := must(pgx.Connect(t.Context(), address))
	defer conn.Close(context.Background())
	rows := must(conn.Query(t.Context(), query))
	return must(pgx.CollectExactlyOneRow(rows, pgx.RowTo[string]))
}
