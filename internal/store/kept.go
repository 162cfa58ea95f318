package store

import (
	"context"

	"github.com/counterfoil/counterfoil"
)

// Setting reads a value of the instance, such as the catalogue in force.
func (s *Store) Setting(ctx context.Context, name string) (value string, found bool, err error) {
	err = s.engine.view(ctx, func(q querier) (err error) {
		value, found, err = setting(q, name)
		return err
	})
	return value, found, err
}

// Setting reads a value of the instance inside the transaction.
func (tx *Tx) Setting(name string) (value string, found bool, err error) { return setting(tx.q, name) }

func setting(q querier, name string) (string, bool, error) {
	return find(q, func(r scanner) (v string, err error) { return v, r.Scan(&v) }, "SELECT value FROM instance WHERE name=$1", name)
}

// LockSetting is Setting for a transaction that goes on to change it; another one that would waits for this one's end.
func (tx *Tx) LockSetting(name string) (value string, found bool, err error) {
	return find(tx.q, func(r scanner) (v string, err error) { return v, r.Scan(&v) }, "SELECT value FROM instance WHERE name=$1"+tx.q.forUpdate(), name)
}

// SetSetting writes a value of the instance.
func (tx *Tx) SetSetting(name, value string) error {
	_, err := tx.q.exec("INSERT INTO instance (name, value) VALUES ($1,$2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// SetSettingOnce writes a value of the instance unless there is one; false: there was.
func (tx *Tx) SetSettingOnce(name, value string) (bool, error) {
	n, err := tx.q.exec("INSERT INTO instance (name, value) VALUES ($1,$2) ON CONFLICT (name) DO NOTHING", name, value)
	return n == 1, err
}

// Answer is what a creating request was answered, kept under its caller and Idempotency-Key for 24 hours.
type Answer struct {
	Digest string // of the request
	Token  string // the token that it made; then Body is empty, because a secret is never stored
	Body   string // JSON
}

// answerLife is how long an Idempotency-Key is remembered.
const answerLife = 24 * 60 * 60 * 1_000_000

// Answered finds the answer to an earlier request of the same caller and key, and keeps the key still.
func (tx *Tx) Answered(caller, key string) (Answer, bool, error) {
	return find(tx.q, func(r scanner) (a Answer, err error) { return a, r.Scan(&a.Digest, &a.Token, &a.Body) },
		"SELECT digest, token, answer FROM idempotency WHERE caller=$1 AND key=$2 AND created_at > $3", caller, key, int64(tx.now)-answerLife)
}

// KeepAnswer remembers the answer to a request. ErrTaken: another request with the same key came first.
func (tx *Tx) KeepAnswer(caller, key string, a Answer) error {
	if _, err := tx.q.exec("DELETE FROM idempotency WHERE caller=$1 AND key=$2 AND created_at <= $3", caller, key, int64(tx.now)-answerLife); err != nil {
		return err
	}
	_, err := tx.q.exec("INSERT INTO idempotency (caller, key, digest, token, answer, created_at) VALUES ($1,$2,$3,$4,$5,$6)",
		caller, key, a.Digest, a.Token, a.Body, int64(tx.now))
	return err
}

// PruneAnswers forgets answers older than 24 hours. It crosses organizations.
func (s *Store) PruneAnswers(ctx context.Context) error {
	return s.Update(ctx, "", ForTokens, func(tx *Tx) error {
		_, err := tx.q.exec("DELETE FROM idempotency WHERE created_at <= $1", int64(tx.now)-answerLife)
		return err
	})
}

// SaveReceipt writes a receipt of the organization, as JSON, or replaces it. ErrTaken: the id is another organization's.
func (tx *Tx) SaveReceipt(id, answer string) error {
	n, err := tx.q.exec(`INSERT INTO receipts (id, organization, answer) VALUES ($1,$2,$3)
		ON CONFLICT (id) DO UPDATE SET answer = excluded.answer WHERE receipts.organization = excluded.organization`, id, tx.org, answer)
	if err == nil && n != 1 {
		return ErrTaken
	}
	return err
}

// ReplaceReceipt is SaveReceipt for one that takes the place of no other than one with a part: of two who have the same to say, the
// first counts. False: another is there already.
func (tx *Tx) ReplaceReceipt(id, answer, part string) (bool, error) {
	n, err := tx.q.exec(`INSERT INTO receipts (id, organization, answer) VALUES ($1,$2,$3) ON CONFLICT (id) DO UPDATE
		SET answer = excluded.answer WHERE receipts.organization = excluded.organization AND receipts.answer LIKE $4`, id, tx.org, answer, "%"+part+"%")
	return n == 1, err
}

// Receipt finds a receipt and the organization that it belongs to. It crosses organizations: the path names none, and the
// caller compares.
func (tx *Tx) Receipt(id string) (organization, answer string, found bool, err error) {
	type receipt struct{ organization, answer string }
	r, found, err := find(tx.q, func(s scanner) (r receipt, err error) { return r, s.Scan(&r.organization, &r.answer) },
		"SELECT organization, answer FROM receipts WHERE id=$1", id)
	return r.organization, r.answer, found, err
}

// Rules is everything of an organization that a judgement needs besides the token and its owner.
type Rules struct {
	Organization Organization
	Policies     []Policy
	IPFilters    []IPFilter
	Roles        []Role
}

// Rules reads the organization's rules as one state; false when there is no such organization.
func (tx *Tx) Rules() (r Rules, found bool, err error) {
	if r.Organization, found, err = tx.CurrentOrganization(); err != nil || !found {
		return r, false, err
	}
	if r.Policies, err = tx.Policies(); err != nil {
		return r, false, err
	}
	if r.IPFilters, err = tx.IPFilters(); err != nil {
		return r, false, err
	}
	if r.Roles, err = tx.Roles(); err != nil {
		return r, false, err
	}
	return r, true, nil
}

// Now returns the store's time.
func (s *Store) Now() counterfoil.Instant { return counterfoil.At(s.now()) }
