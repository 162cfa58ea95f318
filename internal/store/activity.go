package store

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// EventFilter narrows and orders the events of an organization. Empty fields do not narrow.
type EventFilter struct {
	Type, Action string
	Users        []string            // UUIDs of the persons concerned
	Token        string              // that the event concerns
	From, Until  counterfoil.Instant // of receipt: From is included, Until is not
	Match        func(body string) bool
	After        int64 // go on behind this number; 0: begin
	Newest       bool  // first; then After is a number to go on below
	Limit        int
	Bytes        int // of what is stored of the events; it ends behind the one that goes beyond. 0: as many as there are
}

// EventList is a part of the log. Last is the number to go on from, 0 where nothing was looked at; More says whether
// there is more to look at now.
type EventList struct {
	Events []counterfoil.Event
	Last   int64
	More   bool
}

// mostMatched bounds how many entries one call shows to Match: a list of rare matches comes in short pages.
const mostMatched = 10_000

// FindEvents lists entries of the organization in the order of their numbers.
func (tx *Tx) FindEvents(f EventFilter) (list EventList, err error) {
	spans, err := tx.spans(f)
	if err != nil {
		return list, err
	}
	most, looked := f.Limit+1, 0
	if f.Match != nil {
		most = mostMatched + 1
	}
	for _, s := range spans {
		if err = tx.readSpan(s, f, &list, most, &looked); err != nil || list.More {
			break
		}
	}
	return list, err
}

// EventTypes lists the types of the organization's entries by name, at most as many as limit. It jumps along the index from
// one to the next, so that it takes as long as there are types, not entries.
func (tx *Tx) EventTypes(limit int) (types []string, err error) {
	last := ""
	for range limit {
		err := tx.q.row("SELECT COALESCE(MIN(type), '') FROM events"+tx.q.by("events_by_type")+" WHERE organization = $1 AND type > $2 AND seq IS NOT NULL", tx.org, last).Scan(&last)
		if err != nil || last == "" {
			return types, err
		}
		types = append(types, last)
	}
	return types, nil
}

// readSpan adds what of a span passes the filter. It stops where the list is full or enough was looked at.
func (tx *Tx) readSpan(s span, f EventFilter, list *EventList, most int, looked *int) error {
	w := tx.eventsWhere(f)
	w.add("seq >= ?", s.first)
	w.add("seq <= ?", s.last)
	order := " ORDER BY seq"
	if f.Newest {
		order += " DESC"
	}
	r, err := tx.q.query("SELECT seq, body, hash FROM "+tx.eventsBy(f)+" WHERE "+w.sql()+order+w.bind(" LIMIT ?", most-*looked), w.args...)
	if err != nil {
		return err
	}
	defer r.Close()
	size := 0
	for r.Next() {
		if *looked++; *looked == most || len(list.Events) == f.Limit || f.Bytes > 0 && size >= f.Bytes {
			list.More = true
			return nil
		}
		number, body, hash, err := scanBody(r)
		if err != nil {
			return err
		}
		list.Last = number
		size += len(body)
		if f.Match != nil && !f.Match(body) {
			continue
		}
		e, err := eventOf(number, body, hash)
		if err != nil {
			return err
		}
		list.Events = append(list.Events, e)
	}
	return r.Err()
}

func scanBody(r scanner) (number int64, body string, hash []byte, err error) {
	return number, body, hash, r.Scan(&number, &body, &hash)
}

func eventOf(number int64, body string, hash []byte) (e counterfoil.Event, err error) {
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return e, fmt.Errorf("entry %d is damaged: %w", number, err)
	}
	e.Number, e.Hash = number, hash
	return e, nil
}

// followed is the event of an entry for whoever follows the log. One that cannot be read, as when somebody has written into the table,
// is taken for one of a kind that nobody knows, in the instance, which may have changed anything: it is no reason to stop there.
func followed(number int64, body string, hash []byte) (e counterfoil.Event, damaged error) {
	if e, damaged = eventOf(number, body, hash); damaged != nil {
		e = counterfoil.Event{Number: number, Hash: hash, Target: counterfoil.Target{Kind: DamagedKind}}
	}
	return e, damaged
}

// DamagedKind is what an entry that cannot be read is about, as followers are told.
const DamagedKind = "damaged"

// eventsBy is the table, by the index that narrows most.
func (tx *Tx) eventsBy(f EventFilter) string {
	index := "events_by_number"
	switch {
	case f.Token != "":
		index = "events_by_token"
	case len(f.Users) > 0 && len(f.Users) <= fewUsers: // of many, to walk past others' is faster
		index = "events_by_user"
	case f.Type != "":
		index = "events_by_type"
	}
	return "events" + tx.q.by(index)
}

// eventsWhere is the filter but for the numbers.
func (tx *Tx) eventsWhere(f EventFilter) *where {
	w := &where{}
	w.add("organization = ?", tx.org)
	if f.Type != "" {
		w.add("type = ?", f.Type)
	}
	if f.Action != "" {
		w.add("action = ?", f.Action)
	}
	if len(f.Users) > 0 {
		args := make([]any, len(f.Users))
		for i, u := range f.Users {
			args[i] = u
		}
		w.add("user_uuid <> ''")     // what the index holds
		if len(f.Users) > fewUsers { // as a condition of its own over a table both engines look each user up
			w.add("(user_uuid IN (VALUES (?)"+strings.Repeat(",(?)", len(f.Users)-1)+")) IS TRUE", args...)
		} else {
			w.add("user_uuid IN (?"+strings.Repeat(",?", len(f.Users)-1)+")", args...)
		}
	}
	if f.Token != "" {
		w.add("token <> ''")
		w.add("token = ?", f.Token)
	}
	if f.From != 0 {
		w.add("at >= ?", int64(f.From))
	}
	if f.Until != 0 {
		w.add("at < ?", int64(f.Until))
	}
	return w
}

// span is a run of numbers, both ends included.
type span struct{ first, last int64 }

// spans are the numbers that can hold what f asks for, in its order. A window in time is found by the blocks; what is
// not in a block yet may lie at any time.
func (tx *Tx) spans(f EventFilter) ([]span, error) {
	all := []span{{1, math.MaxInt64}}
	if f.From != 0 || f.Until != 0 {
		until := f.Until
		if until == 0 {
			until = math.MaxInt64
		}
		var within span
		err := tx.q.row(`SELECT COALESCE(MIN(first_seq), 0), COALESCE(MAX(last_seq), 0) FROM event_blocks
			WHERE organization = $1 AND max_at >= $2 AND min_at < $3`, tx.org, int64(f.From), int64(until)).Scan(&within.first, &within.last)
		if err != nil {
			return nil, err
		}
		rest, err := tx.lastInBlock()
		if err != nil {
			return nil, err
		}
		all = []span{within, {rest + 1, math.MaxInt64}}
	}
	var out []span
	for _, s := range all {
		if f.Newest && f.After > 0 {
			s.last = min(s.last, f.After-1)
		} else if !f.Newest {
			s.first = max(s.first, f.After+1)
		}
		if s.first > 0 && s.first <= s.last {
			out = append(out, s)
		}
	}
	if f.Newest {
		slices.Reverse(out)
	}
	return out, nil
}

// LastNumber returns the number of the organization's last entry, 0 when there is none.
func (tx *Tx) LastNumber() (n int64, err error) {
	return n, tx.q.row("SELECT COALESCE(MAX(seq), 0) FROM events WHERE organization = $1 AND seq > 0", tx.org).Scan(&n)
}
