package store

import "context"

// Migrated reports whether the schema is one that this version serves: its last migration has been run. Open has seen to
// that; a database that is put back to an older state afterwards lacks it.
func (s *Store) Migrated(ctx context.Context) (done bool, err error) {
	err = s.engine.view(ctx, func(q querier) error {
		var found int
		err := q.row("SELECT COUNT(*) FROM goose_db_version WHERE version_id = $1", len(migrations)-1).Scan(&found)
		done = found > 0
		return err
	})
	return done, err
}
