package store

import (
	"cmp"
	"context"
	"slices"

	"github.com/counterfoil/counterfoil"
)

// Use is what was noted of one token and address since the last write: how often it was accepted and when last.
type Use struct {
	Token string
	IP    string // empty: no address was named
	At    counterfoil.Instant
	Count int64
	// Until is when the grace of the value that was used ends, if that is the one before the last rotation; 0: it is the
	// present value.
	Until counterfoil.Instant
}

// dayMicros is the length of a use day, which begins at 00:00 UTC.
const dayMicros = 24 * 60 * 60 * 1_000_000

// maxUseAddresses bounds how many addresses a token has a row for on one day; uses from further ones are counted under
// the empty address.
const maxUseAddresses = 100

// RecordUses writes noted uses. It crosses organizations: it serves the check, which works on all of them.
func (s *Store) RecordUses(ctx context.Context, uses []Use) error {
	uses = slices.Clone(uses)
	slices.SortFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Token, b.Token), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Until, b.Until))
	}) // nodes that share some wait in one order
	return s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		first, err := tx.q.touch(uses)
		for i := 0; i < len(first) && err == nil; i++ {
			err = tx.firstUse(first[i])
		}
		for i := 0; i < len(uses) && err == nil; i++ {
			if uses[i].Until != 0 {
				err = tx.notePrevious(uses[i])
			}
		}
		return err
	})
}

func (c *sqliteConn) touch(uses []Use) (first []Use, err error) {
	for _, u := range uses {
		_, err := c.exec(`INSERT INTO token_uses (token, at, ip) VALUES ($1,$2,$3)
			ON CONFLICT (token) DO UPDATE SET at = excluded.at, ip = excluded.ip WHERE token_uses.at <= excluded.at`, u.Token, int64(u.At), u.IP)
		if err != nil {
			return nil, err
		}
		n, err := c.exec("UPDATE token_use_days SET uses = uses + $1 WHERE token=$2 AND day=$3 AND ip=$4", u.Count, u.Token, u.day(), u.IP)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			first = append(first, u)
		}
	}
	return first, nil
}

// touch takes two statements, however many uses there are: each is a round trip.
func (t pgTx) touch(uses []Use) ([]Use, error) {
	type row struct {
		token string
		day   int64
		ip    string
	}
	var tokens, ips, used, from []string
	var days, counts, last []int64 // last is when each of used was
	for _, u := range uses {
		tokens, ips, days, counts = append(tokens, u.Token), append(ips, u.IP), append(days, u.day()), append(counts, u.Count)
		if n := len(used) - 1; n < 0 || used[n] != u.Token {
			used, from, last = append(used, u.Token), append(from, u.IP), append(last, int64(u.At))
		} else if last[n] <= int64(u.At) {
			from[n], last[n] = u.IP, int64(u.At)
		}
	}
	if _, err := t.exec(`INSERT INTO token_uses (token, at, ip) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[])
		ON CONFLICT (token) DO UPDATE SET at = excluded.at, ip = excluded.ip WHERE token_uses.at <= excluded.at`, used, last, from); err != nil {
		return nil, err
	}
	found, err := collect(t, func(r scanner) (w row, err error) { return w, r.Scan(&w.token, &w.day, &w.ip) },
		`UPDATE token_use_days d SET uses = d.uses + n.uses FROM (
			SELECT token, day, ip, CAST(SUM(uses) AS BIGINT) AS uses FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[]) AS u(token, day, ip, uses)
			GROUP BY token, day, ip) n WHERE d.token = n.token AND d.day = n.day AND d.ip = n.ip RETURNING d.token, d.day, d.ip`, tokens, days, ips, counts)
	there := map[row]bool{}
	for _, w := range found {
		there[w] = true
	}
	return slices.DeleteFunc(slices.Clone(uses), func(u Use) bool { return there[row{u.Token, u.day(), u.IP}] }), err
}

// day is the day of a use, counted from 1 January 1970.
func (u Use) day() int64 { return int64(u.At) / dayMicros }

// firstUse adds the first use of a token from an address on a day.
func (tx *Tx) firstUse(u Use) error {
	var addresses int64
	if err := tx.q.row("SELECT COUNT(*) FROM token_use_days WHERE token=$1 AND day=$2", u.Token, u.day()).Scan(&addresses); err != nil {
		return err
	}
	if err := tx.notePlace(u); err != nil {
		return err
	}
	if addresses >= maxUseAddresses {
		u.IP = ""
	}
	_, err := tx.q.exec(`INSERT INTO token_use_days (token, day, ip, uses) VALUES ($1,$2,$3,$4)
		ON CONFLICT (token, day, ip) DO UPDATE SET uses = token_use_days.uses + excluded.uses`, u.Token, u.day(), u.IP, u.Count)
	return err
}

// PruneUses forgets refusals that were last seen before the given time, use days that ended before it, and uses of values
// whose grace ended before it. It crosses organizations.
func (s *Store) PruneUses(ctx context.Context, before counterfoil.Instant) error {
	return s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		if _, err := tx.q.exec("DELETE FROM token_use_days WHERE day < $1", int64(before)/dayMicros); err != nil {
			return err
		}
		if _, err := tx.q.exec("DELETE FROM previous_uses WHERE until < $1", int64(before)); err != nil {
			return err
		}
		_, err := tx.q.exec("DELETE FROM refusals WHERE last_at < $1", int64(before))
		return err
	})
}

// LastUse returns when and from where a token of the organization was last used; the zero Use when never.
func (tx *Tx) LastUse(token string) (Use, error) {
	u, _, err := find(tx.q, func(r scanner) (u Use, err error) { return u, r.Scan(&u.Token, &u.At, &u.IP) },
		"SELECT u.token, u.at, u.ip FROM token_uses u JOIN tokens t ON t.id = u.token WHERE t.organization = $1 AND u.token = $2", tx.org, token)
	return u, err
}

// UsesSince returns, for the organization's tokens of a kind that are not revoked, how often each was used from each
// address since the given time, by whole days.
func (tx *Tx) UsesSince(kind counterfoil.Kind, since counterfoil.Instant) ([]Use, error) {
	return collect(tx.q, func(r scanner) (u Use, err error) { return u, r.Scan(&u.Token, &u.IP, &u.Count) },
		`SELECT d.token, d.ip, CAST(SUM(d.uses) AS BIGINT) FROM token_use_days d JOIN tokens t ON t.id = d.token
		WHERE t.organization = $1 AND t.kind = $2 AND t.revoked_at = 0 AND d.day >= $3 GROUP BY d.token, d.ip ORDER BY d.token, d.ip`,
		tx.org, string(kind), int64(since)/dayMicros)
}

// UseDay is how often a token was accepted on one day (UTC) from one address; IP is empty where none was named, or where
// the day had too many addresses.
type UseDay struct {
	Day   counterfoil.Instant // 00:00 UTC
	IP    string
	Count int64
}

// UsesOf returns the use days of one of the organization's tokens since the given time, latest first.
func (tx *Tx) UsesOf(token string, since counterfoil.Instant) ([]UseDay, error) {
	return collect(tx.q, func(r scanner) (u UseDay, err error) {
		var day int64
		err = r.Scan(&day, &u.IP, &u.Count)
		u.Day = counterfoil.Instant(day * dayMicros)
		return u, err
	}, `SELECT d.day, d.ip, d.uses FROM token_use_days d JOIN tokens t ON t.id = d.token
		WHERE t.organization = $1 AND d.token = $2 AND d.day >= $3 ORDER BY d.day DESC, d.uses DESC, d.ip LIMIT 500`, tx.org, token, int64(since)/dayMicros)
}
