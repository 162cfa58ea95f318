package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"database/sql"

	"github.com/counterfoil/counterfoil"
)

// Append adds an event to the transaction. It is numbered and chained with the commit; ID, OrganizationID and Timestamp
// are filled in here.
func (tx *Tx) Append(e counterfoil.Event) { tx.AppendAs(NewID("evt"), e) }

// AppendAs is Append with an id that was made before.
func (tx *Tx) AppendAs(id string, e counterfoil.Event) {
	e.ID = id
	e.OrganizationID = tx.org
	e.Timestamp = tx.now.Time()
	if len(e.Metadata) == 0 {
		e.Metadata = json.RawMessage("{}")
	}
	tx.events = append(tx.events, e)
}

// head is the last entry of the log: the next one is chained to it.
type head struct {
	number  int64
	hash    []byte
	unknown bool
}

const lastEntryQuery = "SELECT seq, hash FROM events WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1"

func lastEntry(q querier) (head, error) {
	var h head
	err := q.row(lastEntryQuery).Scan(&h.number, &h.hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return h, err
}

// eventBody is what is stored of an event and hashed: everything but its number and hash.
func eventBody(e *counterfoil.Event) (string, error) {
	stored := *e
	stored.Number, stored.Hash = 0, nil
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&stored); err != nil {
		return "", fmt.Errorf("encoding event: %w", err)
	}
	return string(bytes.TrimRight(b.Bytes(), "\n")), nil
}

// eventToken is the token that an event concerns, for the filter by token.
func eventToken(e *counterfoil.Event) string {
	if e.Target.Kind == "token" {
		return e.Target.ID
	}
	return e.Actor.TokenID
}

// insertNumbered writes e as the entry after h.
func insertNumbered(q querier, h head, e *counterfoil.Event) (head, error) {
	body, err := eventBody(e)
	if err != nil {
		return h, err
	}
	next := head{number: h.number + 1, hash: ChainHash(h.hash, h.number+1, body)}
	e.Number, e.Hash = next.number, next.hash
	_, err = q.exec("INSERT INTO events (seq, id, organization, type, action, at, user_uuid, token, body, hash) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
		next.number, e.ID, e.OrganizationID, e.Type, e.Action, int64(counterfoil.At(e.Timestamp)), e.User.UUID, eventToken(e), body, next.hash)
	return next, err
}

// insertUnnumbered writes e for the sequencer to number after the commit (PostgreSQL).
func insertUnnumbered(q querier, e *counterfoil.Event) error {
	body, err := eventBody(e)
	if err != nil {
		return err
	}
	_, err = q.exec("INSERT INTO events (id, organization, type, action, at, user_uuid, token, body) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
		e.ID, e.OrganizationID, e.Type, e.Action, int64(counterfoil.At(e.Timestamp)), e.User.UUID, eventToken(e), body)
	return err
}

// LastEvent returns the number of the last entry, 0 when the log is empty. It crosses organizations: the log is one.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	var n int64
	err := s.engine.view(ctx, func(q querier) error {
		h, err := lastEntry(q)
		n = h.number
		return err
	})
	return n, err
}

// Follow returns up to limit entries after number, in order and without holes; one that cannot be read is about something that nobody
// knows. It crosses organizations: followers read the whole log.
func (s *Store) Follow(ctx context.Context, number int64, limit int) ([]counterfoil.Event, error) {
	var out []counterfoil.Event
	err := s.engine.view(ctx, func(q querier) (err error) {
		out, err = collect(q, scanFollowed, "SELECT seq, body, hash FROM events WHERE seq > $1 ORDER BY seq LIMIT $2", number, limit)
		return err
	})
	return out, err
}

// FollowActions shows the entries behind number, as far as through, that have one of some actions, in order, until see fails; of one
// that cannot be read it is not known what it is about, but for a token. It crosses organizations: it serves the ledger of what ended,
// which is one.
func (s *Store) FollowActions(ctx context.Context, number, through int64, actions []string, see func([]counterfoil.Event) error) error {
	const stretch = 10_000 // entries that one transaction looks at
	in := strings.Repeat(",?", len(actions))[1:]
	for ; number < through; number += stretch {
		args := []any{number, min(number+stretch, through)}
		for _, a := range actions {
			args = append(args, a)
		}
		w := where{}
		w.add("seq > ? AND seq <= ? AND action IN ("+in+")", args...)
		var events []counterfoil.Event
		err := s.engine.view(ctx, func(q querier) (err error) {
			events, err = collect(q, scanEnding, "SELECT seq, body, hash, token FROM events WHERE "+w.sql()+" ORDER BY seq", w.args...)
			return err
		})
		if err == nil && len(events) > 0 {
			err = see(events)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func scanFollowed(r scanner) (e counterfoil.Event, err error) {
	number, body, hash, err := scanBody(r)
	if err == nil {
		e, _ = followed(number, body, hash)
	}
	return e, err
}

func scanEnding(r scanner) (e counterfoil.Event, err error) {
	var number int64
	var body, token string
	var hash []byte
	if err := r.Scan(&number, &body, &hash, &token); err != nil {
		return e, err
	}
	e, damaged := followed(number, body, hash)
	if damaged != nil {
		e.Target.ID = token
	}
	return e, nil
}

func scanEvents(q querier, query string, args ...any) ([]counterfoil.Event, error) {
	return collect(q, func(r scanner) (e counterfoil.Event, err error) {
		number, body, hash, err := scanBody(r)
		if err != nil {
			return e, err
		}
		return eventOf(number, body, hash)
	}, query, args...)
}

// collect runs a query and scans every row.
func collect[T any](q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	r, err := q.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []T
	for r.Next() {
		v, err := scan(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, r.Err()
}

// find scans the one row of a query; false when there is none.
func find[T any](q querier, scan func(scanner) (T, error), query string, args ...any) (T, bool, error) {
	v, err := scan(q.row(query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		var zero T
		return zero, false, nil
	}
	return v, err == nil, err
}
