package store

import (
	"context"

	"github.com/counterfoil/counterfoil"
)

// Session is a person signed in to the console. It ends by being deleted, or at EndsAt.
type Session struct {
	ID           string // ses_…
	User         string // usr_…
	Organization string // the one that it is good for; empty for all of the person's
	Method       string // how the person proved who they are
	ReturnURL    string // where the product wants them to go when they are done; may be empty
	IP           string
	UserAgent    string
	CreatedAt    counterfoil.Instant
	SeenAt       counterfoil.Instant // the last request, give or take a minute
	ConfirmedAt  counterfoil.Instant // the last proof of who the person is
	EndsAt       counterfoil.Instant
}

const sessionColumns = "id, user_id, organization, method, return_url, ip, user_agent, created_at, seen_at, confirmed_at, ends_at"

func scanSession(r scanner) (s Session, err error) {
	return s, r.Scan(&s.ID, &s.User, &s.Organization, &s.Method, &s.ReturnURL, &s.IP, &s.UserAgent, &s.CreatedAt, &s.SeenAt, &s.ConfirmedAt, &s.EndsAt)
}

// Session finds a session by its id, ended by time or not. It crosses organizations: a session is a person's.
func (tx *Tx) Session(id string) (Session, bool, error) {
	return find(tx.q, scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE id = $1", id)
}

// SessionByDigest finds a session by the digest of its value. It crosses organizations: a session is a person's.
func (tx *Tx) SessionByDigest(digest []byte) (Session, bool, error) {
	return find(tx.q, scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE digest = $1", digest)
}

// InsertSession adds a session under the digest of its value, created, seen and confirmed now. It crosses organizations:
// a session is a person's.
func (tx *Tx) InsertSession(s Session, digest []byte) error {
	_, err := tx.q.exec("INSERT INTO sessions (digest, "+sessionColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$9,$9,$10)",
		digest, s.ID, s.User, s.Organization, s.Method, s.ReturnURL, s.IP, s.UserAgent, int64(tx.now), int64(s.EndsAt))
	return err
}

// TouchSession notes that the session was used now, from where. It crosses organizations: a session is a person's.
func (tx *Tx) TouchSession(id, ip, userAgent string) error {
	_, err := tx.q.exec("UPDATE sessions SET seen_at=$1, ip=$2, user_agent=$3 WHERE id=$4", int64(tx.now), ip, userAgent, id)
	return err
}

// ConfirmSession notes that the person proved now who they are; false: the session has ended. It crosses organizations:
// a session is a person's.
func (tx *Tx) ConfirmSession(id string) (bool, error) {
	n, err := tx.q.exec("UPDATE sessions SET confirmed_at=$1 WHERE id=$2", int64(tx.now), id)
	return n == 1, err
}

// DeleteSession ends a session of the person; false: there was none. It crosses organizations: a session is a person's.
func (tx *Tx) DeleteSession(user, id string) (bool, error) {
	n, err := tx.q.exec("DELETE FROM sessions WHERE user_id=$1 AND id=$2", user, id)
	return n == 1, err
}

// DeleteSessions ends every session of the person but one. It crosses organizations: sessions are a person's.
func (tx *Tx) DeleteSessions(user, except string) error {
	_, err := tx.q.exec("DELETE FROM sessions WHERE user_id=$1 AND id<>$2", user, except)
	return err
}

// SessionsOf lists the person's sessions that have not ended, newest first. It crosses organizations: sessions are a
// person's.
func (tx *Tx) SessionsOf(user string) ([]Session, error) {
	return collect(tx.q, scanSession, "SELECT "+sessionColumns+" FROM sessions WHERE user_id=$1 AND ends_at > $2 ORDER BY id DESC", user, int64(tx.now))
}

// PruneSessions forgets the sessions and tickets whose time is over. It crosses organizations.
func (s *Store) PruneSessions(ctx context.Context) error {
	return s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		for _, delete := range []string{"DELETE FROM sessions WHERE ends_at <= $1", "DELETE FROM tickets WHERE expires_at <= $1"} {
			if _, err := tx.q.exec(delete, int64(tx.now)); err != nil {
				return err
			}
		}
		return nil
	})
}
