package console

import (
	"encoding/json"

	"github.com/counterfoil/counterfoil"
)

// tokenHistory is a part of what happened to a token, newest first.
type tokenHistory struct {
	counterfoil.EventPage
	path  string
	paged bool
}

const eventsPerHistory = 10

// mayReadHistory says what to show; the registry decides.
func (v *visit) mayReadHistory(t *counterfoil.Token) bool {
	return v.own(t) || v.may(counterfoil.PermActivityRead)
}

// history reads a part of a token's history; nil where the person may not.
func (v *visit) history(t *counterfoil.Token) (*tokenHistory, error) {
	if !v.mayReadHistory(t) {
		return nil, nil
	}
	cursor := v.field("history")
	page, err := v.c.Registry.TokenEvents(v.r.Context(), v.caller(), v.org(), t.ID, cursor, eventsPerHistory)
	return &tokenHistory{page, v.tokenPath(t, ""), cursor != ""}, err
}

func (h *tokenHistory) first() string {
	if h.paged {
		return h.path + "#history"
	}
	return ""
}

func (h *tokenHistory) next() string {
	if h.NextCursor == nil {
		return ""
	}
	return h.path + "?history=" + *h.NextCursor + "#history"
}

// eventReference is the reference of a refusal that an event tells of; empty: none.
func eventReference(e *counterfoil.Event) string {
	var m struct{ Reference string }
	if e.Action != "token_refused" || json.Unmarshal(e.Metadata, &m) != nil || referenceForm.FindString(m.Reference) != m.Reference {
		return ""
	}
	return m.Reference
}
