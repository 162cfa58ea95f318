package store

import (
	"fmt"
	"testing"

	"github.com/counterfoil/counterfoil"
)

func appendOne(t *testing.T, s *fixture, org, action string) {
	t.Helper()
	s.write(t, org, func(tx *Tx) error {
		tx.Append(counterfoil.Event{Type: "tokens", Action: action, Target: counterfoil.Target{Kind: "token", ID: "tok_" + action}})
		return nil
	})
}

func expectChain(t *testing.T, s *fixture, entries, bad int64) {
	t.Helper()
	gotEntries, gotBad, err := s.VerifyChain(t.Context())
	if gotEntries != entries || gotBad != bad || err != nil {
		t.Errorf("VerifyChain: %d entries, first bad %d, %v; want %d, %d", gotEntries, gotBad, err, entries, bad)
	}
}

func TestVerifyChainFindsTampering(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		s := open(t, config)
		expectChain(t, s, 0, 0)
		const entries = 1003 // more than VerifyChain reads at once
		s.write(t, "org_1", func(tx *Tx) error {
			for i := range entries {
				tx.Append(counterfoil.Event{Type: "tokens", Action: fmt.Sprint("action", i+1)})
			}
			return nil
		})
		expectChain(t, s, entries, 0)
		for _, c := range []struct {
			name, change, undo string
			bad                int64
		}{
			{"a body", "UPDATE events SET body = REPLACE(body, 'action5\"', 'action6\"') WHERE seq = 5", "UPDATE events SET body = REPLACE(body, 'action6\"', 'action5\"') WHERE seq = 5", 5},
			{"a blank in a body", "UPDATE events SET body = body || ' ' WHERE seq = 1", "UPDATE events SET body = RTRIM(body) WHERE seq = 1", 1},
			{"the last body", "UPDATE events SET body = body || ' ' WHERE seq = 1003", "UPDATE events SET body = RTRIM(body) WHERE seq = 1003", 1003},
			{"a body past the first page", "UPDATE events SET body = body || ' ' WHERE seq = 1001", "UPDATE events SET body = RTRIM(body) WHERE seq = 1001", 1001},
			{"a hash that is gone", "UPDATE events SET user_uuid = 'x', hash = (SELECT hash FROM events WHERE seq = 6) WHERE seq = 7", "", 7},
		} {
			var hash []byte
			read(t, s, "", func(tx *Tx) (_ struct{}, err error) {
				return struct{}{}, tx.q.row("SELECT hash FROM events WHERE seq = 7").Scan(&hash)
			})
			s.raw(t, c.change)
			expectChain(t, s, c.bad-1, c.bad)
			if c.undo == "" {
				s.raw(t, "UPDATE events SET user_uuid = '', hash = $1 WHERE seq = 7", hash)
			} else {
				s.raw(t, c.undo)
			}
			if expectChain(t, s, entries, 0); t.Failed() {
				t.Fatalf("tampering with %s", c.name)
			}
		}
		// The columns that queries go by are copies: an entry that was moved to another organization's log is bad too.
		for column, right := range map[string]string{"organization": "org_1", "action": "action9", "type": "tokens", "token": "", "user_uuid": ""} {
			s.raw(t, "UPDATE events SET "+column+" = 'other' WHERE seq = 9")
			expectChain(t, s, 8, 9)
			s.raw(t, "UPDATE events SET "+column+" = $1 WHERE seq = 9", right)
		}
		s.raw(t, "UPDATE events SET at = at + 1 WHERE seq = 9")
		expectChain(t, s, 8, 9)
		s.raw(t, "UPDATE events SET at = at - 1 WHERE seq = 9")
		expectChain(t, s, entries, 0)
		s.raw(t, "UPDATE events SET seq = 2000 WHERE seq = 1003")
		expectChain(t, s, 1002, 1003)
		s.raw(t, "UPDATE events SET seq = 1003 WHERE seq = 2000")
		rehash(t, s, 20)
		expectChain(t, s, 20, 21)
		s.raw(t, "DELETE FROM events WHERE seq = 11")
		expectChain(t, s, 10, 11)
		s.raw(t, "DELETE FROM events WHERE seq = 1")
		expectChain(t, s, 0, 1)
	})
}

// rehash rewrites an entry's body and gives it the hash that fits: then the next one does not.
func rehash(t *testing.T, s *fixture, number int64) {
	var body string
	var previous []byte
	read(t, s, "", func(tx *Tx) (_ struct{}, err error) {
		return struct{}{}, firstError(
			tx.q.row("SELECT body FROM events WHERE seq = $1", number).Scan(&body),
			tx.q.row("SELECT hash FROM events WHERE seq = $1", number-1).Scan(&previous))
	})
	body += " "
	s.raw(t, "UPDATE events SET body = $1, hash = $2 WHERE seq = $3", body, ChainHash(previous, number, body), number)
}

func TestReopeningContinuesTheChain(t *testing.T) {
	each(t, func(t *testing.T, config Config) {
		for i := range int64(3) {
			s := open(t, config)
			expectChain(t, s, i*2, 0)
			appendOne(t, s, "org_1", "a")
			appendOne(t, s, "org_2", "b")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, config)
		expectChain(t, s, 6, 0)
		events, err := s.Follow(t.Context(), 0, 10)
		if err != nil || len(events) != 6 {
			t.Fatal(events, err)
		}
		for i, e := range events {
			if e.Number != int64(i)+1 || len(e.Hash) != 32 {
				t.Errorf("entry %d is %+v", i+1, e)
			}
		}
	})
}

// The chain's formula is public: whoever keeps the log elsewhere checks it so.
func TestChainHash(t *testing.T) {
	one := ChainHash(nil, 1, "a")
	two := ChainHash(one, 2, "b")
	if got := fmt.Sprintf("%x %x", one[:4], two[:4]); got != "eb4c9d2b fcdd35b2" {
		t.Errorf("the hashes begin %s", got)
	}
}
