package store

import (
	"context"
	"math"

	"github.com/counterfoil/counterfoil"
)

// SplunkExport is an organization's push to a collector. Sealed is the collector's token under the instance key KeyID, empty
// for none.
type SplunkExport struct {
	URL                       string
	Sealed                    []byte
	KeyID                     uint8
	Index, Source, Sourcetype string
	Backfill                  bool
	CreatedAt, UpdatedAt      counterfoil.Instant
	Revision                  string // another one with each change of the settings
	ExportProgress
}

// ExportProgress is how far an export has come. After is where it goes on: behind the entry of this number.
type ExportProgress struct {
	After       int64
	DeliveredTo int64 // the last entry that the collector has
	DeliveredAt counterfoil.Instant
	Missing     int64
	LastMissing int64
	State       string // empty: nothing is wrong; else "retrying" or "paused"
	ErrorCode   string
	ErrorDetail string
	ErrorAt     counterfoil.Instant
	NextAttempt counterfoil.Instant
}

const exportColumns = `url, sealed, key_id, index_name, source, sourcetype, backfill, created_at, updated_at, revision,
	after_seq, delivered_seq, delivered_at, missing, last_missing, state, error_code, error_detail, error_at, next_attempt`

func scanExport(r scanner) (e SplunkExport, err error) {
	var backfill int64
	err = r.Scan(&e.URL, &e.Sealed, &e.KeyID, &e.Index, &e.Source, &e.Sourcetype, &backfill, &e.CreatedAt, &e.UpdatedAt, &e.Revision,
		&e.After, &e.DeliveredTo, &e.DeliveredAt, &e.Missing, &e.LastMissing, &e.State, &e.ErrorCode, &e.ErrorDetail, &e.ErrorAt, &e.NextAttempt)
	e.Backfill = backfill != 0
	return e, err
}

// SplunkExport finds the organization's export.
func (tx *Tx) SplunkExport() (SplunkExport, bool, error) {
	return find(tx.q, scanExport, "SELECT "+exportColumns+" FROM splunk_exports WHERE organization = $1", tx.org)
}

// SetSplunkExport makes the organization's export, or writes it anew.
func (tx *Tx) SetSplunkExport(e SplunkExport) error {
	if _, err := tx.DeleteSplunkExport(); err != nil {
		return err
	}
	_, err := tx.q.exec("INSERT INTO splunk_exports (organization, "+exportColumns+`)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)`,
		tx.org, e.URL, append([]byte{}, e.Sealed...), int64(e.KeyID), e.Index, e.Source, e.Sourcetype, flag(e.Backfill), int64(e.CreatedAt), int64(e.UpdatedAt), e.Revision,
		e.After, e.DeliveredTo, int64(e.DeliveredAt), e.Missing, e.LastMissing, e.State, e.ErrorCode, e.ErrorDetail, int64(e.ErrorAt), int64(e.NextAttempt))
	return err
}

// DeleteSplunkExport ends the organization's export; false: there was none.
func (tx *Tx) DeleteSplunkExport() (bool, error) {
	n, err := tx.q.exec("DELETE FROM splunk_exports WHERE organization = $1", tx.org)
	return n == 1, err
}

// MoveSplunkExport writes how far the export has come; false: its settings are no longer those of revision, or it has come
// further.
func (tx *Tx) MoveSplunkExport(revision string, p ExportProgress) (bool, error) {
	n, err := tx.q.exec(`UPDATE splunk_exports SET after_seq=$1, delivered_seq=$2, delivered_at=$3, missing=$4, last_missing=$5,
		state=$6, error_code=$7, error_detail=$8, error_at=$9, next_attempt=$10 WHERE organization=$11 AND revision=$12 AND after_seq <= $1`,
		p.After, p.DeliveredTo, int64(p.DeliveredAt), p.Missing, p.LastMissing, p.State, p.ErrorCode, p.ErrorDetail, int64(p.ErrorAt), int64(p.NextAttempt),
		tx.org, revision)
	return n == 1, err
}

// SplunkExports lists the organizations that have an export. It crosses organizations: whoever delivers begins with it.
func (s *Store) SplunkExports(ctx context.Context) (orgs []string, err error) {
	err = s.engine.view(ctx, func(q querier) (err error) {
		orgs, err = collect(q, func(r scanner) (id string, err error) { return id, r.Scan(&id) }, "SELECT organization FROM splunk_exports ORDER BY organization")
		return err
	})
	return orgs, unavailable(err)
}

// EventsBehind counts the organization's entries behind a number, and says when the first of them was received; 0: there is
// none.
func (tx *Tx) EventsBehind(number int64) (n int64, oldest counterfoil.Instant, err error) {
	first, _, err := find(tx.q, func(r scanner) (at counterfoil.Instant, err error) { return at, r.Scan(&at) },
		"SELECT at FROM events"+tx.q.by("events_by_number")+" WHERE organization = $1 AND seq > $2 ORDER BY seq LIMIT 1", tx.org, number)
	if err != nil {
		return 0, 0, err
	}
	rest, err := tx.lastInBlock()
	if err != nil {
		return 0, 0, err
	}
	ahead, err := collect(tx.q, scanBlock, `SELECT first_seq, last_seq, n, min_at, max_at FROM event_blocks
		WHERE organization = $1 AND last_seq > $2 ORDER BY first_seq`, tx.org, number)
	if err != nil {
		return 0, 0, err
	}
	for _, b := range append(ahead, block{first: rest + 1, last: math.MaxInt64}) {
		if b.n == 0 || b.first <= number {
			err = tx.q.row("SELECT COUNT(*) FROM events"+tx.q.by("events_by_number")+" WHERE organization = $1 AND seq > $2 AND seq >= $3 AND seq <= $4",
				tx.org, number, b.first, b.last).Scan(&b.n)
			if err != nil {
				return 0, 0, err
			}
		}
		n += b.n
	}
	return n, first, nil
}
