package store

import (
	"context"

	"github.com/counterfoil/counterfoil"
)

// Ending looks at up to span tokens in the order of their ids, after one. It returns those that are not revoked and whose
// own expiry, or the end of their policy's longest lifetime, lies in [from, until], and the last id that it looked at,
// empty when there was none left. It crosses organizations: it serves the notices of all.
func (tx *Tx) Ending(after string, span int, from, until counterfoil.Instant) (list []Token, last string, err error) {
	err = tx.q.row("SELECT COALESCE(MAX(id), '') FROM (SELECT id FROM tokens WHERE id > $1 ORDER BY id LIMIT $2) AS part", after, span).Scan(&last)
	if err != nil || last == "" {
		return nil, "", err
	}
	list, err = collect(tx.q, plainToken, "SELECT "+tokenColumns+` FROM tokens t LEFT JOIN policies p ON p.organization = t.organization AND p.kind = t.kind
		WHERE t.id > $1 AND t.id <= $2 AND t.revoked_at = 0 AND (
			(t.expires_at <> 0 AND t.expires_at >= $3 AND t.expires_at <= $4) OR
			(p.max_lifetime IS NOT NULL AND t.renewed_at >= CAST($3 AS BIGINT) - p.max_lifetime * 1000000 AND t.renewed_at <= CAST($4 AS BIGINT) - p.max_lifetime * 1000000))
		ORDER BY t.id`, after, last, int64(from), int64(until))
	return list, last, err
}

// ClaimNotice notes that people are told of a token's end so many days before; false: they were told. It crosses
// organizations: a token's id is unique.
func (tx *Tx) ClaimNotice(token string, ends counterfoil.Instant, days int64) (bool, error) {
	n, err := tx.q.exec("INSERT INTO notices (token, ends_at, days, at) VALUES ($1,$2,$3,$4) ON CONFLICT (token, ends_at, days) DO NOTHING",
		token, int64(ends), days, int64(tx.now))
	return n == 1, err
}

// Noticed reports whether ClaimNotice would be false.
func (tx *Tx) Noticed(token string, ends counterfoil.Instant, days int64) (bool, error) {
	var n int64
	err := tx.q.row("SELECT COUNT(*) FROM notices WHERE token=$1 AND ends_at=$2 AND days=$3", token, int64(ends), days).Scan(&n)
	return n > 0, err
}

// PruneNotices forgets what was told of tokens that ended before. It crosses organizations: it is housekeeping.
func (s *Store) PruneNotices(ctx context.Context, before counterfoil.Instant) error {
	return s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		_, err := tx.q.exec("DELETE FROM notices WHERE ends_at < $1", int64(before))
		return err
	})
}

// Keepers lists up to limit active members of the organization who hold the role owner or admin, oldest first.
func (tx *Tx) Keepers(limit int) ([]Member, error) {
	return collect(tx.q, scanMember, "SELECT "+memberColumns+fromMembers+`WHERE m.organization = $1 AND m.status = $2
		AND (`+holds("$3")+" OR "+holds("$4")+`) ORDER BY m.id LIMIT $5`,
		tx.org, string(counterfoil.MemberActive), " "+counterfoil.RoleOwner+" ", " "+counterfoil.RoleAdmin+" ", limit)
}

// LetterWebhook is the kind of a letter about a webhook that was disabled, which more than one package knows. Its data is
// a WebhookDisabled.
const LetterWebhook = "webhook_disabled"

// LetterPlace is the kind of a letter about the first use of a token from a new place, which people may mute.
const LetterPlace = "token_place"

// Muted reports whether a person does not want letters of a kind. It crosses organizations: what people are told is theirs.
func (tx *Tx) Muted(user, kind string) (bool, error) {
	var n int64
	err := tx.q.row("SELECT COUNT(*) FROM muted_letters WHERE user_id=$1 AND kind=$2", user, kind).Scan(&n)
	return n > 0, err
}

// SetMuted says whether a person wants no letters of a kind, and reports whether that changed anything. It crosses
// organizations: what people are told is theirs.
func (tx *Tx) SetMuted(user, kind string, muted bool) (bool, error) {
	statement := "DELETE FROM muted_letters WHERE user_id=$1 AND kind=$2"
	if muted {
		statement = "INSERT INTO muted_letters (user_id, kind) VALUES ($1,$2) ON CONFLICT (user_id, kind) DO NOTHING"
	}
	n, err := tx.q.exec(statement, user, kind)
	return n == 1, err
}

// WebhookDisabled says which webhook was disabled, and why.
type WebhookDisabled struct {
	Name   string                    `json:"name"`
	Host   string                    `json:"host"`
	Reason counterfoil.WebhookReason `json:"reason"`
}

// Letter is something that a person is to be told by mail.
type Letter struct {
	ID           string // let_…
	User         string
	Organization string
	Kind         string // what Data means is the business of whoever writes it
	Subject      string // the id of what it is about
	Data         string // JSON
	CreatedAt    counterfoil.Instant
	DueAt        counterfoil.Instant
	Attempts     int64
}

// InsertLetter adds a letter of the organization, due at the given time.
func (tx *Tx) InsertLetter(l Letter) error {
	_, err := tx.q.exec("INSERT INTO letters (id, user_id, organization, kind, subject, data, created_at, due_at, attempts) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,0)",
		NewID("let"), l.User, tx.org, l.Kind, l.Subject, l.Data, int64(tx.now), int64(l.DueAt))
	return err
}

// Awaiting lists up to limit people for whom a letter is due, who waits longest first. It crosses organizations: a person
// gets one mail.
func (tx *Tx) Awaiting(limit int) ([]string, error) {
	return collect(tx.q, func(r scanner) (user string, err error) { return user, r.Scan(&user) },
		"SELECT user_id FROM letters WHERE due_at <= $1 GROUP BY user_id ORDER BY MIN(due_at), user_id LIMIT $2", int64(tx.now), limit)
}

// TakeLetters returns up to limit letters to a person that are due by a time, oldest first, and makes them due again later,
// unless they are deleted before: of those who ask at the same time one gets them. It crosses organizations: a person gets one
// mail.
func (tx *Tx) TakeLetters(user string, limit int, by, again counterfoil.Instant) ([]Letter, error) {
	list, err := collect(tx.q, func(r scanner) (l Letter, err error) {
		return l, r.Scan(&l.ID, &l.User, &l.Organization, &l.Kind, &l.Subject, &l.Data, &l.CreatedAt, &l.DueAt, &l.Attempts)
	}, `SELECT id, user_id, organization, kind, subject, data, created_at, due_at, attempts FROM letters
		WHERE user_id=$1 AND due_at <= $2 ORDER BY created_at, id LIMIT $3`+tx.q.forUpdate(), user, int64(by), limit)
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Attempts++
		if err := tx.PostponeLetter(list[i].ID, again, list[i].Attempts); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// PostponeLetter makes a letter due at another time, after so many attempts. It crosses organizations: see TakeLetters.
func (tx *Tx) PostponeLetter(id string, due counterfoil.Instant, attempts int64) error {
	_, err := tx.q.exec("UPDATE letters SET due_at=$1, attempts=$2 WHERE id=$3", int64(due), attempts, id)
	return err
}

// DeleteLetter removes a letter that was sent, or that nobody wants any more. It crosses organizations: see TakeLetters.
func (tx *Tx) DeleteLetter(id string) error {
	_, err := tx.q.exec("DELETE FROM letters WHERE id=$1", id)
	return err
}
