package console

import (
	"strings"

	"github.com/counterfoil/counterfoil"
)

// makerName says who made or ended something: a member's name, or a token's; else the id that is kept.
func (v *visit) makerName(id string) string {
	switch {
	case id == "operator":
		return "the operator"
	case id == v.here.MemberID:
		return "you"
	}
	name := v.nameOf(id)
	switch token := strings.HasPrefix(id, "tok_"); {
	case token && name != "":
		return "the token “" + name + "”"
	case token:
		return "a token, " + id
	case name != "":
		return name
	}
	return id
}

// who is the person concerned, or what acted where there is none, a token by its name.
func (v *visit) who(e *counterfoil.Event) string {
	if e.Actor.Kind == "token" && e.User.Email == "" && e.User.UUID == "" {
		return capital(v.makerName(e.Actor.TokenID))
	}
	return eventWho(e)
}

// initiator says what made an event that nobody did by hand, a token by its name.
func (v *visit) initiator(e *counterfoil.Event) string {
	if e.Actor.Kind == "token" && e.Initiator == e.Actor.TokenID {
		return capital(v.makerName(e.Initiator))
	}
	return eventInitiator(e)
}

// nameOf is the name of a member or token of the organization, asked for once a page; empty where it is not known any more,
// or not for the person to see.
func (v *visit) nameOf(id string) (name string) {
	if name, known := v.names[id]; known {
		return name
	}
	ctx := v.r.Context()
	switch {
	case strings.HasPrefix(id, "mem_") && v.may(counterfoil.PermMembersRead):
		if m, err := v.c.Registry.Member(ctx, v.caller(), v.org(), id); err == nil {
			name = m.Name
		}
	case strings.HasPrefix(id, "tok_") && v.may(counterfoil.PermTokensRead):
		if t, err := v.c.Registry.Token(ctx, v.caller(), v.org(), id); err == nil {
			name = t.Name
		}
	}
	if v.names == nil {
		v.names = map[string]string{}
	}
	v.names[id] = name
	return name
}
