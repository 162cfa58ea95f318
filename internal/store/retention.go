package store

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/counterfoil/counterfoil"
)

// What an organization keeps of its log is a number of days. Older entries are removed in two steps. First the log itself
// says what will go: up to which entry, and how many there will be without content in all. Then, in portions, each entry is
// replaced by the digest of its body and its hash, through which the chain runs on.
const (
	removedType   = "organization"
	removedAction = "events_removed"

	removeTogether = 500 // entries a transaction
)

// Retention returns for how many days the organization keeps its log; false: it has not said. 0 days are for ever.
func (tx *Tx) Retention() (days int64, found bool, err error) {
	return find(tx.q, func(r scanner) (n int64, err error) { return n, r.Scan(&n) }, "SELECT days FROM retentions WHERE organization=$1", tx.org)
}

// SetRetention keeps for how many days the organization keeps its log. The transaction must hold ForRules.
func (tx *Tx) SetRetention(days int64) error {
	_, err := tx.q.exec("INSERT INTO retentions (organization, days) VALUES ($1,$2) ON CONFLICT (organization) DO UPDATE SET days = excluded.days", tx.org, days)
	return err
}

// UnsetRetention forgets what the organization has said. The transaction must hold ForRules.
func (tx *Tx) UnsetRetention() error {
	_, err := tx.q.exec("DELETE FROM retentions WHERE organization=$1", tx.org)
	return err
}

// Retaining lists, after one, up to limit organizations whose log may have to be cut: those that have said for how long,
// or all, deleted ones and the instance's own included. It crosses organizations: it is housekeeping.
func (tx *Tx) Retaining(all bool, after string, limit int) ([]string, error) {
	from := "SELECT organization AS id FROM retentions WHERE days > 0"
	if all {
		from = "SELECT id FROM organizations"
	}
	return collect(tx.q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		"SELECT id FROM ("+from+") AS part WHERE id > $1 ORDER BY id LIMIT $2", after, limit)
}

func (tx *Tx) removalSetting() string { return "removed_events " + tx.org }

func (tx *Tx) removal() (r removal, err error) {
	text, found, err := tx.Setting(tx.removalSetting())
	if err != nil || !found {
		return r, err
	}
	if _, err := fmt.Sscan(text, &r.Through, &r.Total); err != nil {
		return r, fmt.Errorf("the setting %s is damaged: %q", tx.removalSetting(), text)
	}
	return r, nil
}

// RemovedThrough returns the number up to which the organization's entries are removed, or are about to be; 0: none.
func (tx *Tx) RemovedThrough() (int64, error) {
	r, err := tx.removal()
	return r.Through, err
}

// Removable returns how many of the organization's entries are from before a time and were not spoken of yet. Times need
// not rise with the numbers: nothing behind an entry that is kept goes.
func (tx *Tx) Removable(before counterfoil.Instant) (n int64, err error) {
	n, _, _, err = tx.removable(before)
	return n, err
}

func (tx *Tx) removable(before counterfoil.Instant) (n, last int64, r removal, err error) {
	if r, err = tx.removal(); err != nil {
		return 0, 0, r, err
	}
	err = tx.q.row(`SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM events`+tx.q.by("events_by_number")+` WHERE organization = $1 AND seq > $2 AND seq <
		COALESCE((SELECT seq FROM events`+tx.q.by("events_by_number")+` WHERE organization = $1 AND seq > $2 AND at >= $3 ORDER BY seq LIMIT 1), $4)`,
		tx.org, r.Through, int64(before), int64(math.MaxInt64)).Scan(&n, &last)
	return n, last, r, err
}

// AnnounceRemoval says in the log that what is removable will be removed, if anything is.
func (tx *Tx) AnnounceRemoval(before counterfoil.Instant) error {
	n, last, r, err := tx.removable(before)
	if err != nil || n == 0 {
		return err
	}
	r.Total, r.Through = r.Total+n, last
	metadata, err := json.Marshal(struct {
		removal
		Count  int64 `json:"count"`
		Before any   `json:"before"`
	}{r, n, before.Ptr()})
	if err != nil {
		return err
	}
	if err := tx.passExport(last); err != nil {
		return err
	}
	tx.Append(counterfoil.Event{Type: removedType, Action: removedAction, Actor: counterfoil.Actor{Kind: "system"}, Initiator: "retention",
		Target: counterfoil.Target{Kind: "organization", ID: tx.org}, Metadata: metadata})
	return tx.SetSetting(tx.removalSetting(), fmt.Sprint(r.Through, " ", r.Total))
}

// passExport has the organization's export count what goes before it was delivered as missing, and go on behind it.
func (tx *Tx) passExport(through int64) error {
	e, found, err := tx.SplunkExport()
	if err != nil || !found || e.After >= through {
		return err
	}
	var n int64
	if err := tx.q.row("SELECT COUNT(*) FROM events WHERE organization = $1 AND seq > $2 AND seq <= $3", tx.org, e.After, through).Scan(&n); err != nil {
		return err
	}
	_, err = tx.q.exec("UPDATE splunk_exports SET missing = missing + CAST($1 AS BIGINT), last_missing = $2, after_seq = $2, revision = $3 WHERE organization = $4 AND after_seq < $2",
		n, through, NewID("rev"), tx.org) // with another revision, whoever delivers reads it again
	return err
}

// RemoveAnnounced removes a portion of what was announced of an organization's entries; false: nothing is left to do.
func (s *Store) RemoveAnnounced(ctx context.Context, org string) (more bool, err error) {
	err = s.View(ctx, org, func(tx *Tx) error {
		r, err := tx.removal()
		if err != nil || r.Through == 0 {
			return err
		}
		var first int64
		err = tx.q.row("SELECT COALESCE(MIN(seq), 0) FROM events WHERE organization = $1 AND seq > 0 AND seq <= $2", org, r.Through).Scan(&first)
		more = first > 0
		return err
	})
	if err != nil || !more {
		return false, err
	}
	err = s.Update(ctx, org, ForRules, func(tx *Tx) error {
		r, err := tx.removal()
		if err != nil {
			return err
		}
		n, err := tx.removePortion(r.Through)
		more = n == removeTogether
		return err
	})
	s.blocks.mu.Lock()
	s.blocks.whole = false // a block may have lost its tally
	s.blocks.mu.Unlock()
	return more, err
}

// removePortion removes the first of the organization's entries up to through.
func (tx *Tx) removePortion(through int64) (n int, err error) {
	list, err := collect(tx.q, func(r scanner) (e counterfoil.LogEntry, err error) { return e, r.Scan(&e.Number, &e.Body, &e.Hash) },
		"SELECT seq, body, hash FROM events WHERE organization = $1 AND seq > 0 AND seq <= $2 ORDER BY seq LIMIT $3", tx.org, through, removeTogether)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	for _, e := range list {
		_, err := tx.q.exec("INSERT INTO removed_events (seq, organization, digest, hash) VALUES ($1,$2,$3,$4)", e.Number, tx.org, digestOf(e.Body), e.Hash)
		if err != nil {
			return 0, err
		}
	}
	last := list[len(list)-1].Number
	if _, err := tx.q.exec("DELETE FROM events WHERE organization = $1 AND seq > 0 AND seq <= $2", tx.org, last); err != nil {
		return 0, err
	}
	return len(list), tx.cutBlocks(last)
}

// cutBlocks makes the organization's blocks count what is left of them after the entries up to number were removed. The
// tallies of those that were cut are gone; CountBlocks makes them anew.
func (tx *Tx) cutBlocks(number int64) error {
	if _, err := tx.q.exec("DELETE FROM event_block_users WHERE organization = $1 AND first_seq <= $2", tx.org, number); err != nil {
		return err
	}
	if _, err := tx.q.exec("DELETE FROM event_blocks WHERE organization = $1 AND last_seq <= $2", tx.org, number); err != nil {
		return err
	}
	b, found, err := find(tx.q, scanBlock, "SELECT first_seq, last_seq, n, min_at, max_at FROM event_blocks WHERE organization = $1 AND first_seq <= $2", tx.org, number)
	if err != nil || !found {
		return err
	}
	first := b.first
	err = tx.q.row("SELECT MIN(seq), COUNT(*), MIN(at), MAX(at) FROM events WHERE organization = $1 AND seq > $2 AND seq <= $3", tx.org, number, b.last).
		Scan(&b.first, &b.n, &b.earliest, &b.late)
	if err != nil {
		return err
	}
	_, err = tx.q.exec("UPDATE event_blocks SET first_seq=$1, n=$2, min_at=$3, max_at=$4 WHERE organization=$5 AND first_seq=$6",
		b.first, b.n, int64(b.earliest), int64(b.late), tx.org, first)
	return err
}
