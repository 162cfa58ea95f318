package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
)

// Token is a stored token: the facts that its face shows, and the hidden half.
type Token struct {
	ID           string
	Organization string // empty for a system token
	Kind         counterfoil.Kind
	Integration  counterfoil.Integration
	Owner        string // the member, for a personal token
	Name, Hint   string
	Permissions  counterfoil.Permissions
	IPFilter     string // id of its own filter, or empty
	Paused       bool
	Held         bool // paused by someone else than its owner, who cannot resume it

	Digest        secret.Digest
	KeyID         uint8
	Previous      secret.Digest // of the value before the last rotation
	PreviousKeyID uint8         // 0: never rotated
	PreviousUntil counterfoil.Instant
	RotatedAt     counterfoil.Instant // of the last rotation or its end, later than the one before by any clock; 0: none, or by an earlier version

	CreatedAt     counterfoil.Instant
	CreatedBy     string
	RenewedAt     counterfoil.Instant
	ExpiresAt     counterfoil.Instant // 0: none
	RevokedAt     counterfoil.Instant // 0: not revoked
	RevokedBy     string
	RevokedReason string
	Receipt       string // of the revocation
	Version       int64
}

const tokenColumns = `t.id, t.organization, t.kind, t.integration, t.owner, t.name, t.hint, t.permissions, t.ip_filter, t.paused,
	t.digest, t.key_id, t.previous_digest, t.previous_key_id, t.previous_until, t.created_at, t.created_by, t.renewed_at,
	t.expires_at, t.revoked_at, t.revoked_by, t.revoked_reason, t.receipt, t.version, t.rotated_at`

// scanToken scans tokenColumns and then the extra destinations.
func scanToken(r scanner, extra ...any) (Token, error) {
	var t Token
	var permissions string
	var paused int64
	var digest, previous []byte
	dest := []any{&t.ID, &t.Organization, &t.Kind, &t.Integration, &t.Owner, &t.Name, &t.Hint, &permissions, &t.IPFilter, &paused,
		&digest, &t.KeyID, &previous, &t.PreviousKeyID, &t.PreviousUntil, &t.CreatedAt, &t.CreatedBy, &t.RenewedAt,
		&t.ExpiresAt, &t.RevokedAt, &t.RevokedBy, &t.RevokedReason, &t.Receipt, &t.Version, &t.RotatedAt}
	if err := r.Scan(append(dest, extra...)...); err != nil {
		return t, err
	}
	if len(digest) != len(t.Digest) || (t.PreviousKeyID != 0 && len(previous) != len(t.Previous)) {
		return t, fmt.Errorf("token %s: %w", t.ID, ErrDamaged)
	}
	copy(t.Digest[:], digest)
	copy(t.Previous[:], previous)
	t.Paused, t.Held = paused != 0, paused == pausedHeld
	t.Permissions = splitSet(permissions)
	return t, nil
}

const pausedHeld = 2

func pausedFlag(t Token) int64 {
	if t.Paused && t.Held {
		return pausedHeld
	}
	return flag(t.Paused)
}

func plainToken(r scanner) (Token, error) { return scanToken(r) }

// splitSet reads a stored set of names: sorted, separated by spaces.
func splitSet(s string) counterfoil.Permissions { return counterfoil.Permissions(strings.Fields(s)) }

func joinSet(p counterfoil.Permissions) string { return strings.Join(p, " ") }

// LookUp finds a token by its id alone. It crosses organizations: it serves the check, which has nothing but the
// token's string to go by.
func (s *Store) LookUp(ctx context.Context, id string) (t Token, found bool, err error) {
	err = s.view(ctx, "database look-up", func(q querier) (err error) {
		t, found, err = find(q, plainToken, "SELECT "+tokenColumns+" FROM tokens t WHERE t.id = $1", id)
		return err
	})
	return t, found, err
}

// Credential finds the token of the caller inside a write transaction and keeps it still, so that what it may do is
// judged by what holds when the transaction commits. It crosses organizations: a system token or another organization's
// may be the caller.
func (tx *Tx) Credential(id string) (Token, bool, error) {
	return remembered(tx.memo.credentials(), id, func() (Token, bool, error) { return tx.credential(id) })
}

func (tx *Tx) credential(id string) (Token, bool, error) {
	return find(tx.q, plainToken, "SELECT "+tokenColumns+" FROM tokens t WHERE t.id = $1"+tx.q.forShare(), id)
}

// Token finds a token of the organization. To change it, ask for TokenForUpdate.
func (tx *Tx) Token(id string) (Token, bool, error) {
	return find(tx.q, plainToken, "SELECT "+tokenColumns+" FROM tokens t WHERE t.organization = $1 AND t.id = $2", tx.org, id)
}

// TokenForUpdate finds a token of the organization and locks its row until the transaction ends.
func (tx *Tx) TokenForUpdate(id string) (Token, bool, error) {
	return find(tx.q, plainToken, "SELECT "+tokenColumns+" FROM tokens t WHERE t.organization = $1 AND t.id = $2"+tx.q.forUpdate(), tx.org, id)
}

// InsertToken adds t to the organization, whatever t.Organization says.
func (tx *Tx) InsertToken(t Token) error {
	_, err := tx.q.exec(`INSERT INTO tokens (id, organization, kind, integration, owner, name, hint, permissions, ip_filter, paused,
		digest, key_id, previous_digest, previous_key_id, previous_until, created_at, created_by, renewed_at, expires_at,
		revoked_at, revoked_by, revoked_reason, receipt, version, search)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,NULL,0,0,$13,$14,$15,$16,0,'','','',1,$17)`,
		t.ID, tx.org, string(t.Kind), string(t.Integration), t.Owner, t.Name, t.Hint, joinSet(t.Permissions), t.IPFilter, pausedFlag(t),
		t.Digest[:], int64(t.KeyID), int64(t.CreatedAt), t.CreatedBy, int64(t.RenewedAt), int64(t.ExpiresAt),
		searchable(t.Name, t.ID, t.Hint))
	return err
}

// UpdateToken writes what of a token may change. The row must have been read with TokenForUpdate.
func (tx *Tx) UpdateToken(t Token) error {
	var previous []byte
	if t.PreviousKeyID != 0 {
		previous = t.Previous[:]
	}
	tx.memo.forgetToken(t.ID)
	n, err := tx.q.exec(`UPDATE tokens SET name=$1, hint=$2, permissions=$3, ip_filter=$4, paused=$5, digest=$6, key_id=$7,
		previous_digest=$8, previous_key_id=$9, previous_until=$10, renewed_at=$11, expires_at=$12, revoked_at=$13,
		revoked_by=$14, revoked_reason=$15, receipt=$16, search=$17, rotated_at=$18, version=version+1
		WHERE organization=$19 AND id=$20 AND version=$21`,
		t.Name, t.Hint, joinSet(t.Permissions), t.IPFilter, pausedFlag(t), t.Digest[:], int64(t.KeyID), previous, int64(t.PreviousKeyID),
		int64(t.PreviousUntil), int64(t.RenewedAt), int64(t.ExpiresAt), int64(t.RevokedAt), t.RevokedBy, t.RevokedReason, t.Receipt,
		searchable(t.Name, t.ID, t.Hint), int64(t.RotatedAt), tx.org, t.ID, t.Version)
	if err == nil && n != 1 {
		return ErrStale
	}
	return err
}

// RevokeTokens revokes every token of the organization that belongs to owner, or all of them when owner is empty, and
// returns those that it revoked. Each wants an event of its own.
func (tx *Tx) RevokeTokens(owner, by, reason, receipt string) ([]Token, error) {
	tokens, err := collect(tx.q, plainToken, "SELECT "+tokenColumns+` FROM tokens t WHERE t.organization = $1 AND t.revoked_at = 0
		AND ($2 = '' OR t.owner = $3) ORDER BY t.id`+tx.q.forUpdate(), tx.org, owner, owner)
	if err != nil {
		return nil, err
	}
	for i := range tokens {
		t := &tokens[i]
		t.RevokedAt, t.RevokedBy, t.RevokedReason, t.Receipt = tx.now, by, reason, receipt
		if err := tx.UpdateToken(*t); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// Expired lists tokens, not revoked, whose own expiry lies in (after, until], soonest first; among those that expire
// together, after the one with the given id. It crosses organizations: it serves the notes of what has expired.
func (tx *Tx) Expired(after counterfoil.Instant, id string, until counterfoil.Instant, limit int) ([]Token, error) {
	return collect(tx.q, plainToken, "SELECT "+tokenColumns+` FROM tokens t LEFT JOIN organizations o ON o.id = t.organization
		WHERE t.expires_at <> 0 AND t.revoked_at = 0 AND t.expires_at <= $1 AND (t.expires_at > $2 OR (t.expires_at = $2 AND t.id > $3)) AND COALESCE(o.deleted_at, 0) = 0
		ORDER BY t.expires_at, t.id LIMIT $4`, int64(until), int64(after), id, limit)
}

// TokenFilter narrows and orders a list. Empty fields do not narrow.
type TokenFilter struct {
	Kind     counterfoil.Kind
	Status   counterfoil.Status // empty: all but revoked
	Owner    string             // member id
	IPFilter string             // filter id
	Text     string             // part of the name, the id or the hint, case ignored
	Sort     string             // name, created_at (default, newest first), expires_at (soonest first), last_used_at (latest first)
	// MaxLifetime holds the longest lifetime in seconds of the kinds that have one: a token past it is expired.
	MaxLifetime map[counterfoil.Kind]int64
	Cursor      string
	Limit       int

	Integration counterfoil.Integration
	ExpiresBy   counterfoil.Instant // only those that expire by then
	UnusedSince counterfoil.Instant // only those whose last use, or creation when never used, is before then
}

// ListedToken is a token with when it was last used.
type ListedToken struct {
	Token
	LastUsedAt counterfoil.Instant // 0: never
	LastUsedIP string
}

// ErrCursor says that a cursor was not made by the same kind of list.
var ErrCursor = errors.New("the cursor does not belong to this list")

// Tokens lists tokens of the organization; next is empty at the end.
func (tx *Tx) Tokens(f TokenFilter) (list []ListedToken, next string, err error) {
	key, descending := "t.created_at", true
	switch f.Sort {
	case "name":
		key, descending = "t.name", false
	case "expires_at":
		key, descending = fmt.Sprintf("(CASE WHEN t.expires_at = 0 THEN %d ELSE t.expires_at END)", int64(math.MaxInt64)), false
	case "last_used_at":
		key, descending = "COALESCE(u.at, 0)", true
	}
	w := tx.narrowed(f)
	if f.Cursor != "" {
		after, id, err := openCursor(f.Cursor, f.Sort)
		if err != nil {
			return nil, "", err
		}
		w.add("("+key+", t.id) "+map[bool]string{true: "<", false: ">"}[descending]+" (?, ?)", after, id)
	}
	direction := map[bool]string{true: " DESC", false: ""}[descending]
	query := "SELECT " + tokenColumns + ", COALESCE(u.at, 0), COALESCE(u.ip, ''), " + key +
		" FROM tokens t LEFT JOIN token_uses u ON u.token = t.id WHERE " + w.sql() +
		" ORDER BY " + key + direction + ", t.id" + direction + w.bind(" LIMIT ?", f.Limit+1)
	var keys []any
	list, err = collect(tx.q, func(r scanner) (l ListedToken, err error) {
		var k any
		l.Token, err = scanToken(r, &l.LastUsedAt, &l.LastUsedIP, &k)
		keys = append(keys, k)
		return l, err
	}, query, w.args...)
	if err == nil && len(list) > f.Limit {
		list = list[:f.Limit]
		next = makeCursor(f.Sort, keys[f.Limit-1], list[f.Limit-1].ID)
	}
	return list, next, err
}

// narrowed is the condition of a filter but for its cursor.
func (tx *Tx) narrowed(f TokenFilter) where {
	w := where{}
	w.add("t.organization = ?", tx.org)
	equal := func(column, value string) {
		if value != "" {
			w.add("t."+column+" = ?", value)
		}
	}
	equal("kind", string(f.Kind))
	equal("integration", string(f.Integration))
	equal("owner", f.Owner)
	equal("ip_filter", f.IPFilter)
	if f.Text != "" {
		w.add(`t.search LIKE ? ESCAPE '\'`, likePart(f.Text))
	}
	w.status(f, tx.now)
	if f.ExpiresBy != 0 {
		w.expiresBy(f, f.ExpiresBy)
	}
	if f.UnusedSince != 0 {
		w.add("COALESCE(u.at, t.created_at) < ?", int64(f.UnusedSince))
	}
	return w
}

// expired is the condition that a token is dead at a moment by its own expiry or its kind's longest lifetime.
func expired(f TokenFilter, at counterfoil.Instant) (condition string, args []any) {
	condition, args = "(t.expires_at <> 0 AND t.expires_at <= ?)", []any{int64(at)}
	for _, kind := range counterfoil.PolicyKinds {
		if limit, ok := f.MaxLifetime[kind]; ok {
			condition += " OR (t.kind = ? AND t.renewed_at <= ?)"
			args = append(args, string(kind), int64(at)-limit*1e6)
		}
	}
	return "(" + condition + ")", args
}

func (w *where) expiresBy(f TokenFilter, at counterfoil.Instant) {
	condition, args := expired(f, at)
	w.add(condition, args...)
}

// TokenCounts counts tokens of a filter that are active: all, those that expire soon, and those unused for long.
type TokenCounts struct{ Active, Expiring, Unused int64 }

// CountTokens counts the active tokens of a filter, those among them that expire by soon, and those whose last use, or
// creation when never used, is before unused. Status, sort and cursor of the filter do not matter.
func (tx *Tx) CountTokens(f TokenFilter, soon, unused counterfoil.Instant) (c TokenCounts, err error) {
	f.Status, f.ExpiresBy, f.UnusedSince = counterfoil.StatusActive, 0, 0
	w := tx.narrowed(f)
	condition, args := expired(f, soon)
	sum := func(condition string, args ...any) string {
		return "COALESCE(SUM(CASE WHEN " + w.bind(condition, args...) + " THEN 1 ELSE 0 END), 0)"
	}
	query := "SELECT COUNT(*), " + sum(condition, args...) + ", " + sum("COALESCE(u.at, t.created_at) < ?", int64(unused)) +
		" FROM tokens t LEFT JOIN token_uses u ON u.token = t.id WHERE " + w.sql()
	err = tx.q.row(query, w.args...).Scan(&c.Active, &c.Expiring, &c.Unused)
	return c, err
}

// status narrows to a status as judge.Status derives it: revoked before expired before paused before active.
func (w *where) status(f TokenFilter, now counterfoil.Instant) {
	if f.Status == counterfoil.StatusRevoked {
		w.add("t.revoked_at <> 0")
		return
	}
	w.add("t.revoked_at = 0")
	if f.Status == "" {
		return
	}
	condition, args := expired(f, now)
	switch f.Status {
	case counterfoil.StatusExpired:
		w.add(condition, args...)
	case counterfoil.StatusPaused:
		w.add("NOT "+condition+" AND t.paused <> 0", args...)
	case counterfoil.StatusActive:
		w.add("NOT "+condition+" AND t.paused = 0", args...)
	}
}

// where gathers conditions with ? binds and numbers them.
type where struct {
	parts []string
	args  []any
}

func (w *where) add(condition string, args ...any) {
	w.parts = append(w.parts, w.bind(condition, args...))
}

func (w *where) bind(condition string, args ...any) string {
	for _, a := range args {
		w.args = append(w.args, a)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	return condition
}

func (w *where) sql() string { return strings.Join(w.parts, " AND ") }

// searchable is what a column search holds: the texts that likePart finds a part of, whatever their case.
func searchable(texts ...string) string { return strings.ToLower(strings.Join(texts, "\n")) }

func likePart(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(strings.ToLower(text)) + "%"
}

// A cursor is the sort, the key and the id of the last row, opaque to clients.
func makeCursor(sort string, key any, id string) string {
	if b, ok := key.([]byte); ok {
		key = string(b)
	}
	raw, err := json.Marshal([]any{sort, key, id})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func openCursor(cursor, sort string) (key any, id string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, "", ErrCursor
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	var parts []any
	if dec.Decode(&parts) != nil || len(parts) != 3 || parts[0] != sort {
		return nil, "", ErrCursor
	}
	id, ok := parts[2].(string)
	if !ok {
		return nil, "", ErrCursor
	}
	switch k := parts[1].(type) {
	case json.Number:
		n, err := k.Int64()
		if err != nil || sort == "name" {
			return nil, "", ErrCursor
		}
		return n, id, nil
	case string:
		if sort != "name" {
			return nil, "", ErrCursor
		}
		return k, id, nil
	}
	return nil, "", ErrCursor
}
