package store

import "github.com/counterfoil/counterfoil"

// PreviousUse is how often the value before a token's last rotation was used from one address, since when and when last; IP
// is empty where none was named, or where there were too many.
type PreviousUse struct {
	IP              string
	FirstAt, LastAt counterfoil.Instant
	Count           int64
}

// watchMark stands where the address would, in the row that says since when a value is watched.
const watchMark = "*"

// WatchPrevious begins to keep uses of the value before a rotation of one of the organization's tokens, whose grace ends at until. Without it none are kept: an older
// version, which does not tell the uses of two values apart, has rotated the token.
func (tx *Tx) WatchPrevious(token string, until counterfoil.Instant) error {
	_, err := tx.q.exec(`INSERT INTO previous_uses (token, until, ip, first_at, last_at, uses)
		SELECT id, CAST($1 AS BIGINT), $2, CAST($3 AS BIGINT), CAST($4 AS BIGINT), 0 FROM tokens WHERE organization=$5 AND id=$6`,
		int64(until), watchMark, int64(tx.now), int64(tx.now), tx.org, token)
	return err
}

// maxPreviousAddresses bounds how many addresses are kept of a value; uses from further ones are counted under the empty one.
const maxPreviousAddresses = 100

// notePrevious keeps a use of the value before a rotation. A value is told from another of the same token by when its grace ends.
func (tx *Tx) notePrevious(u Use) error {
	n, err := tx.q.exec(`UPDATE previous_uses SET uses = uses + CAST($1 AS BIGINT), last_at = CASE WHEN last_at < $2 THEN CAST($2 AS BIGINT) ELSE last_at END
		WHERE token=$3 AND until=$4 AND ip=$5`, u.Count, int64(u.At), u.Token, int64(u.Until), u.IP)
	if err != nil || n == 1 {
		return err
	}
	var addresses int64
	if err := tx.q.row("SELECT COUNT(*) FROM previous_uses WHERE token=$1 AND until=$2", u.Token, int64(u.Until)).Scan(&addresses); err != nil {
		return err
	}
	switch {
	case addresses == 0: // there is no such value, or nobody watches it
		return nil
	case addresses > maxPreviousAddresses:
		u.IP = ""
	}
	_, err = tx.q.exec(`INSERT INTO previous_uses (token, until, ip, first_at, last_at, uses) VALUES ($1,$2,$3,$4,$4,$5)
		ON CONFLICT (token, until, ip) DO UPDATE SET uses = previous_uses.uses + excluded.uses,
		last_at = CASE WHEN previous_uses.last_at < excluded.last_at THEN excluded.last_at ELSE previous_uses.last_at END`,
		u.Token, int64(u.Until), u.IP, int64(u.At), u.Count)
	return err
}

// PreviousUses returns since when the value of one of the organization's tokens is watched whose grace ends at a time, 0 if it is
// not, and from where it was used, the latest first.
func (tx *Tx) PreviousUses(token string, until counterfoil.Instant) (since counterfoil.Instant, uses []PreviousUse, err error) {
	rows, err := collect(tx.q, func(r scanner) (u PreviousUse, err error) { return u, r.Scan(&u.IP, &u.FirstAt, &u.LastAt, &u.Count) },
		`SELECT p.ip, p.first_at, p.last_at, p.uses FROM previous_uses p JOIN tokens t ON t.id = p.token
		WHERE t.organization = $1 AND p.token = $2 AND p.until = $3 ORDER BY p.last_at DESC, p.ip`, tx.org, token, int64(until))
	for _, u := range rows {
		if u.IP == watchMark {
			since = u.FirstAt
		} else {
			uses = append(uses, u)
		}
	}
	return since, uses, err
}
