package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// dialect is how an engine spells the migrations and runs them.
type dialect struct {
	name    goose.Dialect
	spell   *strings.Replacer
	first   string           // a statement in front of each migration; empty: none
	waited  func(error) bool // a migration gave up waiting for a lock, and nothing of it has happened
	options []goose.ProviderOption
}

// lockPatience is how long migrate tries to get at tables that somebody else holds, such as a backup.
const lockPatience = time.Minute

// migrate brings the schema up to date. A schema newer than the program knows is served, unless it says that it is not for
// this one any more (see needs).
func migrate(ctx context.Context, db *sql.DB, d dialect, migrations []string) error {
	steps := d.steps(migrations)
	// A database that was made between two releases may lack a number below its last: each migration stands alone.
	options := append(d.options, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	p, err := goose.NewProvider(d.name, db, nil, options...)
	if err != nil {
		return err
	}
	version, err := p.GetDBVersion(ctx)
	if err == nil && version > 0 {
		err = serves(ctx, db, len(migrations)-1)
	}
	if err != nil {
		return err
	}
	if pending, err := p.HasPending(ctx); err == nil && !pending {
		return nil // without waiting for others that start as well
	}
	for end := time.Now().Add(lockPatience); ; {
		_, err := p.Up(ctx)
		switch {
		case err == nil:
			return nil
		case !d.waited(err):
			return fmt.Errorf("migrating the schema: %w", err)
		case time.Now().After(end):
			return fmt.Errorf("migrating the schema: something has held a table for %v, such as a backup or a long query; start again when it has ended: %w", lockPatience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPause):
		}
	}
}

// lockPause lets those go on who had to queue behind a migration that waited.
const lockPause = 200 * time.Millisecond

func (d *dialect) steps(migrations []string) (steps []*goose.Migration) {
	for version, text := range migrations {
		if text == "" {
			continue
		}
		statements := []string{d.first}
		statements = append(statements, strings.Split(d.spell.Replace(text), ";\n")...)
		up := &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error { return runAll(ctx, tx, statements) }}
		if strings.Contains(d.spell.Replace(text), " CONCURRENTLY ") {
			up = &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) error { return runAll(ctx, db, statements[1:]) }}
		}
		steps = append(steps, goose.NewGoMigration(int64(version), up, nil))
	}
	return steps
}

func runAll(ctx context.Context, on interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, statements []string) error {
	for _, s := range statements {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		if _, err := on.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.60q: %w", s, err)
		}
	}
	return nil
}

// schemaNeeds is the setting that holds the number of the migration that a program must know to serve the database.
const schemaNeeds = "schema_needs"

// needs is the end of a migration that contracts, that is, takes away what older programs use: from it on a program must
// know the migration of this number. Older ones refuse to start, and those that run shut themselves off.
func needs(number int) string {
	return fmt.Sprintf("INSERT INTO instance (name, value) VALUES ('%s', '%d') ON CONFLICT (name) DO UPDATE SET value = excluded.value;\n", schemaNeeds, number)
}

// outdated is a condition on the database: a program that knows the migrations up to $%d must not serve it. (CASE, because
// no other value may be read as a number.)
const outdated = "EXISTS (SELECT 1 FROM instance WHERE name = '" + schemaNeeds + "' AND CASE name WHEN '" + schemaNeeds + "' THEN CAST(value AS BIGINT) > $%d ELSE FALSE END)"

var errOutdated = errors.New("this version of counterfoil is too old for the database: a newer one has changed it for good. Start that version, or a later one")

func serves(ctx context.Context, db *sql.DB, known int) error {
	var old bool
	err := db.QueryRowContext(ctx, "SELECT "+fmt.Sprintf(outdated, 1), known).Scan(&old)
	if err == nil && old {
		err = errOutdated
	}
	return err
}
