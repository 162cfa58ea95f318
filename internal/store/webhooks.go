package store

import (
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Webhook is a stored webhook: its face and the hidden half.
type Webhook struct {
	ID, Organization, Name, URL string
	Types                       []string
	Sealed                      []byte // the secret
	KeyID                       uint8
	Previous                    []byte // the secret before the last rotation
	PreviousKeyID               uint8  // 0: never rotated
	PreviousUntil               counterfoil.Instant
	Disabled                    counterfoil.WebhookReason // empty: it is enabled
	Since                       int64                     // the number of the last entry that was looked at for it
	FailingSince                counterfoil.Instant       // 0: it works
	Failures                    int64                     // rounds that failed one after the other
	HeldUntil                   counterfoil.Instant       // nothing is sent before
	CreatedAt                   counterfoil.Instant
	CreatedBy                   string
	Version                     int64
}

const webhookColumns = `w.id, w.organization, w.name, w.url, w.types, w.sealed, w.key_id, w.previous_sealed, w.previous_key_id, w.previous_until,
	w.disabled_reason, w.since, w.failing_since, w.failures, w.held_until, w.created_at, w.created_by, w.version`

func scanWebhook(r scanner) (w Webhook, err error) {
	var types string
	err = r.Scan(&w.ID, &w.Organization, &w.Name, &w.URL, &types, &w.Sealed, &w.KeyID, &w.Previous, &w.PreviousKeyID, &w.PreviousUntil,
		&w.Disabled, &w.Since, &w.FailingSince, &w.Failures, &w.HeldUntil, &w.CreatedAt, &w.CreatedBy, &w.Version)
	w.Types = strings.Fields(types)
	return w, err
}

// Webhooks lists the organization's webhooks, oldest first.
func (tx *Tx) Webhooks() ([]Webhook, error) {
	return collect(tx.q, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.organization=$1 ORDER BY w.id", tx.org)
}

// Webhook finds a webhook of the organization. To change it, ask for WebhookForUpdate.
func (tx *Tx) Webhook(id string) (Webhook, bool, error) {
	return find(tx.q, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.organization=$1 AND w.id=$2", tx.org, id)
}

// WebhookForUpdate finds a webhook of the organization and locks its row until the transaction ends.
func (tx *Tx) WebhookForUpdate(id string) (Webhook, bool, error) {
	return find(tx.q, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.organization=$1 AND w.id=$2"+tx.q.forUpdate(), tx.org, id)
}

// InsertWebhook adds an enabled webhook to the organization.
func (tx *Tx) InsertWebhook(w Webhook) error {
	_, err := tx.q.exec(`INSERT INTO webhooks (id, organization, name, url, types, sealed, key_id, previous_sealed, previous_key_id, previous_until,
		enabled, disabled_reason, since, failing_since, failures, held_until, created_at, created_by, version)
		VALUES ($1,$2,$3,$4,$5,$6,$7,NULL,0,0,1,'',$8,0,0,0,$9,$10,1)`,
		w.ID, tx.org, w.Name, w.URL, strings.Join(w.Types, " "), w.Sealed, int64(w.KeyID), w.Since, int64(tx.now), w.CreatedBy)
	return err
}

// UpdateWebhook writes what of a webhook may change. The row must have been read with WebhookForUpdate.
func (tx *Tx) UpdateWebhook(w Webhook) error {
	n, err := tx.q.exec(`UPDATE webhooks SET name=$1, url=$2, types=$3, sealed=$4, key_id=$5, previous_sealed=$6, previous_key_id=$7, previous_until=$8,
		enabled=$9, disabled_reason=$10, since=$11, failing_since=$12, failures=$13, held_until=$14, version=version+1
		WHERE organization=$15 AND id=$16 AND version=$17`,
		w.Name, w.URL, strings.Join(w.Types, " "), w.Sealed, int64(w.KeyID), w.Previous, int64(w.PreviousKeyID), int64(w.PreviousUntil),
		flag(w.Disabled == ""), string(w.Disabled), w.Since, int64(w.FailingSince), w.Failures, int64(w.HeldUntil), tx.org, w.ID, w.Version)
	if err == nil && n != 1 {
		return ErrStale
	}
	return err
}

// DeleteWebhook removes a webhook of the organization with its deliveries.
func (tx *Tx) DeleteWebhook(id string) error {
	if _, err := tx.q.exec("DELETE FROM deliveries WHERE organization=$1 AND webhook=$2", tx.org, id); err != nil {
		return err
	}
	_, err := tx.q.exec("DELETE FROM webhooks WHERE organization=$1 AND id=$2", tx.org, id)
	return err
}

// listening is the condition on a webhook that it is to be sent something: enabled, in an organization that exists.
const listening = " w.enabled = 1 AND w.organization IN (SELECT id FROM organizations WHERE deleted_at = 0)"

// Listening lists, after one, up to limit enabled webhooks that have not looked at the log's last entry. It crosses
// organizations: it serves the sending for all.
func (tx *Tx) Listening(last int64, after string, limit int) ([]Webhook, error) {
	return collect(tx.q, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.id > $1 AND w.since < $2 AND"+listening+" ORDER BY w.id LIMIT $3", after, last, limit)
}

// AnyListening reports whether there is an enabled webhook at all. It crosses organizations: it serves the sending for all.
func (tx *Tx) AnyListening() (bool, error) {
	_, found, err := find(tx.q, func(r scanner) (n int64, err error) { return n, r.Scan(&n) }, "SELECT 1 FROM webhooks w WHERE"+listening+" LIMIT 1")
	return found, err
}

// Written lists the organizations that have entries in (after, last]. It crosses organizations: it serves the sending for
// all.
func (tx *Tx) Written(after, last int64) ([]string, error) {
	return collect(tx.q, func(r scanner) (org string, err error) { return org, r.Scan(&org) },
		"SELECT DISTINCT organization FROM events WHERE seq > $1 AND seq <= $2 AND organization IN (SELECT w.organization FROM webhooks w WHERE"+listening+")", after, last)
}

// Owing lists up to limit enabled webhooks that something is due to be sent to: those that work before those that fail, and
// of either those behind one first, so that all have their turn. It crosses organizations: it serves the sending for all.
func (tx *Tx) Owing(after string, limit int) ([]Webhook, error) {
	return collect(tx.q, scanWebhook, "SELECT "+webhookColumns+" FROM webhooks w WHERE w.held_until <= $1 AND"+listening+`
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook = w.id AND d.status = 'pending' AND d.next_at <= $1)
		ORDER BY CASE WHEN w.failures = 0 THEN 0 ELSE 1 END, CASE WHEN w.id > $2 THEN 0 ELSE 1 END, w.id LIMIT $3`, int64(tx.now), after, limit)
}
