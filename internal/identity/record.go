package identity

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// happening is what goes into the logs about a person.
type happening struct {
	typ, action string
	target      counterfoil.Target // default: the member
	metadata    map[string]any
	proven      bool // it was the person who did it; else somebody who claims to be
}

// record appends an event to the log of every organization that the person belongs to, whatever their status there, or of
// the one that is named.
func (i *Identity) record(tx *store.Tx, at Place, user store.User, organization string, h happening) error {
	list, err := tx.Memberships(user.ID)
	if err != nil {
		return err
	}
	for _, m := range list {
		if organization != "" && organization != m.Organization.ID {
			continue
		}
		e, err := h.event(at, m.Member)
		if err != nil {
			return err
		}
		if err := tx.In(m.Organization.ID, func(tx *store.Tx) error { tx.Append(e); return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (h *happening) event(at Place, m store.Member) (counterfoil.Event, error) {
	e := counterfoil.Event{Type: h.typ, Action: h.action, Target: h.target, User: counterfoil.EventUser{UUID: store.UUID(m.UserID), Email: m.Email}}
	if e.Target.Kind == "" {
		e.Target = counterfoil.Target{Kind: "member", ID: m.ID, Name: m.Email}
	}
	e.Actor = counterfoil.Actor{Kind: "member", ID: m.ID, IP: at.address(), UserAgent: cut(at.UserAgent)}
	if !h.proven {
		e.Actor.Kind, e.Actor.ID, e.Initiator = "system", "", "console"
	}
	metadata := map[string]any{}
	for name, value := range h.metadata {
		metadata[name] = value
	}
	if e.Actor.IP != "" {
		metadata["ip_address"] = e.Actor.IP
	}
	if e.Actor.UserAgent != "" {
		metadata["platform"] = e.Actor.UserAgent
	}
	var err error
	e.Metadata, err = json.Marshal(metadata)
	return e, err
}

// cut is as much of a user agent as is kept.
func cut(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	n := most
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
