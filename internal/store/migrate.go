package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"
)

// migrate brings the schema up to date. It refuses a schema newer than it knows only where the newer one says that it
// contracted: expand first, contract a version later.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, spell *strings.Replacer, options ...goose.ProviderOption) error {
	var steps []*goose.Migration
	for version, text := range migrations {
		if text == "" {
			continue
		}
		text = spell.Replace(text)
		steps = append(steps, goose.NewGoMigration(int64(version), &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			for statement := range strings.SplitSeq(text, ";\n") {
				if strings.TrimSpace(statement) == "" {
					continue
				}
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("%.60q: %w", strings.TrimSpace(statement), err)
				}
			}
			return nil
		}}, nil))
	}
	// A database that was made between two releases may lack a number below its last: each migration stands alone.
	options = append(options, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	p, err := goose.NewProvider(dialect, db, nil, options...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the schema: %w", err)
	}
	return nil
}
