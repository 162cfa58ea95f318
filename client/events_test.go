package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

var eventRows = []row{
	{"ListEvents", "GET /v1/organizations/{org}/events", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "operator")
		made := w.Token(t, "devices:read")
		q := client.EventQuery{Type: "tokens", Actor: m.ID, Token: made.Token.ID, Text: "x", From: time.Now().Add(time.Hour), To: time.Now().Add(2 * time.Hour), After: client.EndOfLog, Wait: time.Millisecond, Limit: 7}
		if none := must(w.owner.ListEvents(t.Context(), current, q))(t); len(none.Data) != 0 || none.More || none.NextCursor == nil {
			t.Errorf("of tomorrow it reads %+v", none)
		}
		newest := must(w.owner.ListEvents(t.Context(), current, client.EventQuery{Token: made.Token.ID, Newest: true, Limit: 1}))(t)
		if len(newest.Data) != 1 || newest.Data[0].Action != "token_created" || newest.Data[0].Target.ID != made.Token.ID {
			t.Errorf("newest first it reads %+v", newest.Data)
		}
	}},
	{"Events", "GET /v1/organizations/{org}/events", func(t *testing.T, w *world) {
		before := must(w.Client().ListEvents(t.Context(), current, client.EventQuery{After: client.EndOfLog}))(t)
		for range 5 {
			w.Token(t, "devices:read")
		}
		q := client.EventQuery{After: *before.NextCursor, Type: "tokens/token_created", Limit: 2}
		n := 0
		for e, err := range w.owner.Events(t.Context(), current, q) {
			if err != nil || e.Action != "token_created" {
				t.Fatal(e.Action, err)
			}
			n++
		}
		if n != 5 {
			t.Errorf("it reads %d events, want 5", n)
		}
	}},
	{"TokenEvents", "GET /v1/organizations/{org}/tokens/{id}/events", func(t *testing.T, w *world) {
		made := w.Token(t, "devices:read")
		must(w.Client().EditToken(t.Context(), current, made.Token.ID, counterfoil.Edit{Name: new("edited")}))(t)
		first := must(w.owner.TokenEvents(t.Context(), current, made.Token.ID, "", 1))(t)
		if len(first.Data) != 1 || first.Data[0].Action != "token_updated" || first.NextCursor == nil {
			t.Fatalf("the first page is %+v", first)
		}
		if last := must(w.owner.TokenEvents(t.Context(), current, made.Token.ID, *first.NextCursor, 1))(t); len(last.Data) != 1 || last.Data[0].Action != "token_created" || last.NextCursor != nil {
			t.Errorf("the last page is %+v", last)
		}
	}},
	{"TokenEvents", "GET /v1/system/tokens/{id}/events", func(t *testing.T, w *world) {
		made := must(w.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "gateway"}))(t)
		for after := ""; ; {
			page := must(w.system.TokenEvents(t.Context(), client.System, made.Token.ID, after, 1))(t)
			if page.NextCursor == nil {
				if len(page.Data) != 1 || page.Data[0].Action != "token_created" {
					t.Errorf("its history ends with %+v", page.Data)
				}
				must(w.system.TokenEvents(t.Context(), client.System, made.Token.ID, "n1", 1))(t)
				return
			}
			after = *page.NextCursor
		}
	}},
	{"StreamEvents", "GET /v1/organizations/{org}/events/stream", func(t *testing.T, w *world) {
		m, _ := w.Member(t, "operator")
		none := client.EventQuery{Type: "none", Actor: m.ID, Token: "tok_none", Text: "x", From: time.Now(), To: time.Now(), After: client.EndOfLog}
		ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer stop()
		for e, err := range w.owner.StreamEvents(ctx, current, none) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("of nothing it streams %+v, %v", e, err)
			}
		}
		end := must(w.Client().ListEvents(t.Context(), current, client.EventQuery{After: client.EndOfLog}))(t)
		reader := w.Token(t, counterfoil.PermActivityRead)
		n := 0
		for e, err := range w.as(reader.Secret).StreamEvents(t.Context(), current, client.EventQuery{After: *end.NextCursor}) {
			if n++; err != nil {
				if n != 4 || !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeTokenRevoked}) {
					t.Errorf("after %d events: %v", n-1, err)
				}
				break
			}
			if e.Action != "token_created" || n > 3 {
				t.Fatalf("event %d is %s", n, e.Action)
			}
			if n == 3 {
				must(w.Client().RevokeToken(t.Context(), current, reader.Token.ID, ""))(t)
				continue
			}
			w.Token(t, "devices:read")
		}
	}},
	{"ListLog", "GET /v1/system/events", func(t *testing.T, w *world) {
		first := must(w.system.ListLog(t.Context(), "", 2))(t)
		if len(first.Data) != 2 || first.Data[0].Number != 1 || len(first.Data[0].Hash) != 32 || !first.More {
			t.Fatalf("the first page is %+v", first)
		}
		if next := must(w.system.ListLog(t.Context(), first.NextCursor, 1))(t); next.Data[0].Number != 3 {
			t.Errorf("the next page is %+v", next)
		}
	}},
	{"Log", "GET /v1/system/events", func(t *testing.T, w *world) {
		var n int64
		for e, err := range w.system.Log(t.Context(), "") {
			if n++; err != nil || e.Number != n || !json.Valid([]byte(e.Body)) {
				t.Fatalf("entry %d is %+v, %v", n, e, err)
			}
		}
		if n < 10 {
			t.Errorf("it reads %d entries", n)
		}
	}},
	{"Checkpoint", "GET /v1/system/events/checkpoint", func(t *testing.T, w *world) {
		c := must(w.system.Checkpoint(t.Context()))(t)
		if c.Number < 10 || !c.SignedBy(c.PublicKey) {
			t.Errorf("the checkpoint is %+v", c)
		}
		for _, change := range []func(*counterfoil.Checkpoint){
			func(c *counterfoil.Checkpoint) { c.Number++ }, func(c *counterfoil.Checkpoint) { c.Hash = c.Hash[1:] },
			func(c *counterfoil.Checkpoint) { c.Time = c.Time.Add(1) }, func(c *counterfoil.Checkpoint) { c.PublicKey = c.PublicKey[1:] },
		} {
			changed := c
			if change(&changed); changed.SignedBy(changed.PublicKey) {
				t.Errorf("changed to %+v it is still signed", changed)
			}
		}
	}},
}
