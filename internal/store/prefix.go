package store

import (
	"context"
	"strings"
)

// PrefixInUse reports whether any token begins with prefix. Where none does, other is the prefix of one that there is; empty: there
// are no tokens. It crosses organizations: a prefix is the instance's.
func (s *Store) PrefixInUse(ctx context.Context, prefix string) (used bool, other string, err error) {
	err = s.engine.view(ctx, func(q querier) error {
		hint := func(r scanner) (h string, err error) { return h, r.Scan(&h) }
		_, used, err = find(q, hint, "SELECT hint FROM tokens WHERE substr(hint, 1, $1) = $2 LIMIT 1", len(prefix)+1, prefix+"_")
		if used || err != nil {
			return err
		}
		other, _, err = find(q, hint, "SELECT hint FROM tokens LIMIT 1")
		other, _, _ = strings.Cut(other, "_")
		return err
	})
	return used, other, err
}
