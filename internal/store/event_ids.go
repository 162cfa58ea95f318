package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// EventID is the product's own id of an event, and the event that carries it.
type EventID struct{ ID, Event string }

// ClaimEventIDs takes ids for events of the organization. What was taken before, here or by a write that is committed
// first, is returned with the event that has it.
func (tx *Tx) ClaimEventIDs(ids []EventID) (taken map[string]string, err error) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b EventID) int { return cmp.Compare(a.ID, b.ID) }) // two batches that share some wait in one order
	for size := 512; size > 0; size /= 2 {                                          // few different statements
		for len(ids) >= size {
			part := ids[:size]
			ids = ids[size:]
			if err := tx.claim(part, &taken); err != nil {
				return nil, err
			}
		}
	}
	return taken, nil
}

func (tx *Tx) claim(ids []EventID, taken *map[string]string) error {
	args, list := []any{tx.org}, []any{tx.org}
	var rows, binds []string
	for i, c := range ids {
		args, list = append(args, c.ID, c.Event), append(list, c.ID)
		rows = append(rows, fmt.Sprintf("($1,$%d,$%d)", 2*i+2, 2*i+3))
		binds = append(binds, fmt.Sprintf("$%d", i+2))
	}
	n, err := tx.q.exec("INSERT INTO event_ids (organization, id, event) VALUES "+strings.Join(rows, ",")+" ON CONFLICT (organization, id) DO NOTHING", args...)
	if err != nil || n == int64(len(ids)) {
		return err
	}
	found, err := collect(tx.q, func(r scanner) (c EventID, err error) { return c, r.Scan(&c.ID, &c.Event) },
		"SELECT id, event FROM event_ids WHERE organization = $1 AND id IN ("+strings.Join(binds, ",")+")", list...)
	if err != nil {
		return err
	}
	ours := map[EventID]bool{}
	for _, c := range ids {
		ours[c] = true
	}
	for _, c := range found {
		if !ours[c] {
			if *taken == nil {
				*taken = map[string]string{}
			}
			(*taken)[c.ID] = c.Event
		}
	}
	return nil
}

// insertAllUnnumbered writes the events of one transaction, many with one statement (PostgreSQL).
func insertAllUnnumbered(q querier, events []counterfoil.Event) error {
	const fewest = 4 // from here on one statement is faster
	if len(events) < fewest {
		for i := range events {
			if err := insertUnnumbered(q, &events[i]); err != nil {
				return err
			}
		}
		return nil
	}
	var text [7][]string // the columns that are text
	at := make([]int64, 0, len(events))
	for i := range events {
		e := &events[i]
		body, err := eventBody(e)
		if err != nil {
			return err
		}
		for j, v := range [7]string{e.ID, e.OrganizationID, e.Type, e.Action, e.User.UUID, eventToken(e), body} {
			text[j] = append(text[j], v)
		}
		at = append(at, int64(counterfoil.At(e.Timestamp)))
	}
	_, err := q.exec(`INSERT INTO events (id, organization, type, action, user_uuid, token, body, at)
		SELECT id, organization, type, action, user_uuid, token, body, at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
		WITH ORDINALITY AS e(id, organization, type, action, user_uuid, token, body, at, place) ORDER BY place`,
		text[0], text[1], text[2], text[3], text[4], text[5], text[6], at)
	return err
}
