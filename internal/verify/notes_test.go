package verify

import (
	"context"
	"net/netip"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestNotesFold adds the notes of a token and address together; the last use is the latest, whatever came last.
func TestNotesFold(t *testing.T) {
	notes := &touch{most: 10, pending: map[useKey]useSum{}}
	id, one, two := [12]byte{1}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	notes.note(useKey{id: id, ip: one}, 20)
	notes.note(useKey{id: id, ip: two}, 5)
	notes.note(useKey{id: id, ip: one}, 10)
	notes.fold()
	notes.note(useKey{id: id, ip: one}, 15)
	notes.fold()
	uses, _, dropped := notes.take(10)
	if len(uses) != 2 || dropped != 0 {
		t.Fatalf("%+v, %d dropped", uses, dropped)
	}
	for _, u := range uses {
		if wantAt, wantCount := map[string]counterfoil.Instant{"10.0.0.1": 20, "10.0.0.2": 5}[u.IP], map[string]int64{"10.0.0.1": 3, "10.0.0.2": 1}[u.IP]; u.At != wantAt || u.Count != wantCount {
			t.Errorf("%+v, want %d uses until %d", u, wantCount, wantAt)
		}
	}
	if again, _, _ := notes.take(10); len(again) != 0 {
		t.Errorf("what was taken is still there: %+v", again)
	}
}

// TestNotesAreBounded notes more than may wait, in one shard and in all, and counts what is dropped.
func TestNotesAreBounded(t *testing.T) {
	notes := &touch{most: 3, pending: map[useKey]useSum{}}
	id := [12]byte{1}
	for range touchShardEnd + 5 {
		notes.note(useKey{id: id, ip: netip.Addr{}}, 1)
	}
	for n := range byte(10) {
		notes.note(useKey{id: [12]byte{2, 6: n}, ip: netip.Addr{}}, 1)
	}
	notes.fold()
	uses, _, dropped := notes.take(100)
	total := dropped
	for _, u := range uses {
		total += u.Count
	}
	if len(uses) != 3 || total != touchShardEnd+15 || dropped < 5+8 {
		t.Errorf("%d kept, %d dropped, %d in all", len(uses), dropped, total)
	}
	for round := range 20 { // the space of notes is used again and again
		for range touchShardEnd {
			notes.note(useKey{id: id, ip: netip.Addr{}}, 1)
		}
		notes.fold()
		notes.take(100)
		kept := 0
		for i := range notes.shards {
			kept += cap(notes.shards[i].uses) + cap(notes.shards[i].spare)
		}
		if round > 0 && kept > 4*touchShardEnd {
			t.Fatalf("room for %d notes is kept", kept)
		}
	}
}

// TestRefusedChecksEvictNothing applies the log's entry of refused checks, which change nothing: a flood of them must not
// empty the cache of the token that is abused.
func TestRefusedChecksEvictNothing(t *testing.T) {
	c := newCrowd(t, 1)
	id := c.ids[0]
	c.v.Apply(&counterfoil.Event{Action: "token_refused", Target: counterfoil.Target{Kind: "token", ID: tokenID(id)}})
	if c.v.cache.get(id) == nil {
		t.Error("the record is gone")
	}
	c.v.Apply(&counterfoil.Event{Action: "token_updated", Target: counterfoil.Target{Kind: "token", ID: tokenID(id)}})
	if c.v.cache.get(id) != nil {
		t.Error("after an edit the record is still there")
	}
}

// TestUnknownOutcomeForgets: a revocation that may not have happened leaves nothing in memory that says it did.
func TestUnknownOutcomeForgets(t *testing.T) {
	c := newCrowd(t, 2)
	for i, action := range []string{"token_revoked", "outcome_unknown"} {
		c.v.Apply(&counterfoil.Event{Action: action, Target: counterfoil.Target{Kind: "token", ID: tokenID(c.ids[i])}})
	}
	if e := c.v.cache.get(c.ids[0]); e == nil || !e.revoked {
		t.Error("a revocation is not marked")
	}
	if c.v.cache.get(c.ids[1]) != nil {
		t.Error("a record is kept that may be out of date")
	}
}

// A use that goes on was counted when it began, and its end is no refusal that somebody has to look into.
func TestAgainIsNotNoted(t *testing.T) {
	c := newCrowd(t, 1)
	for i, want := range []counterfoil.Code{counterfoil.CodeOK, counterfoil.CodeOK, counterfoil.CodeMissingPermission} {
		attempt := counterfoil.Attempt{Audience: counterfoil.AudienceProduct, Permissions: []string{benchPermission}}
		if want != counterfoil.CodeOK {
			attempt.Permissions = []string{"devices:nothing"}
		}
		r, err := c.v.Verify(t.Context(), &Request{Token: c.strings[0], Again: true, Attempt: attempt})
		if err != nil || r.Code != want || r.Reference != "" {
			t.Fatal(i, r.Code, r.Reference, err)
		}
	}
	c.v.touch.fold()
	if uses, _, _ := c.v.touch.take(10); len(uses) > 0 {
		t.Errorf("noted: %+v", uses)
	}
}

// A report of uses is counted whole or not at all: one that fails is sent again.
func TestUsesOfAFailedReportAreNotCounted(t *testing.T) {
	c := newCrowd(t, 1)
	gone, cancel := context.WithCancel(t.Context())
	cancel() // the look-up of the second one fails
	uses := []counterfoil.VerifierUse{{Token: tokenID(c.ids[0]), Count: 3}, {Token: tokenID([12]byte([]byte("000000000000"))), Count: 1}}
	for i, ctx := range []context.Context{gone, t.Context()} {
		if err := c.v.NoteUses(ctx, uses); (err != nil) != (i == 0) {
			t.Fatal(i, err)
		}
	}
	if noted, _, _ := c.v.touch.take(10); len(noted) != 1 || noted[0].Count != 3 {
		t.Errorf("noted: %+v", noted)
	}
}
