package registry

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// recordFor appends an event about target to the log of the organization that tx is bound to. metadata is given away.
func (w *work) recordFor(tx *store.Tx, typ, action string, target counterfoil.Target, metadata map[string]any) {
	if metadata == nil {
		metadata = map[string]any{}
	}
	e := counterfoil.Event{Type: typ, Action: action, Target: target}
	c := w.caller
	switch {
	case c.operator:
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "system"}, "operator"
	case c.ProviderKey != "":
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "provider", ID: c.ProviderKey}, c.ProviderKey
		metadata["provider"] = map[string]any{"id": w.provider.ID, "name": w.provider.Name, "key": c.ProviderKey}
	case w.visitor != nil:
		v := w.visitor
		e.Actor = counterfoil.Actor{Kind: "member", ID: v.ID, TokenID: c.TokenID}
		e.User = counterfoil.EventUser{UUID: store.UUID(v.UserID), Email: v.Email}
		if tx.Organization() != w.provider.ID {
			metadata["msp"] = map[string]any{"user_uuid": e.User.UUID, "user_email": e.User.Email}
			metadata["provider"] = map[string]any{"id": w.provider.ID, "name": w.provider.Name}
		}
	case w.member.ID != "":
		e.Actor = counterfoil.Actor{Kind: "member", ID: w.member.ID, TokenID: c.TokenID}
		e.User = counterfoil.EventUser{UUID: store.UUID(w.member.UserID), Email: w.member.Email}
	case w.system():
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "system", ID: c.TokenID, TokenID: c.TokenID}, c.TokenID
	default:
		e.Actor, e.Initiator = counterfoil.Actor{Kind: "token", ID: c.TokenID, TokenID: c.TokenID}, c.TokenID
	}
	e.Actor.UserAgent = cut(c.UserAgent, 300)
	if c.Attempt.IP.IsValid() {
		e.Actor.IP = c.Attempt.IP.String()
		metadata["ip_address"] = e.Actor.IP
	}
	if e.Actor.UserAgent != "" {
		metadata["platform"] = e.Actor.UserAgent
	}
	raw, err := json.Marshal(metadata)
	if err != nil {
		panic("registry: metadata that is not JSON: " + err.Error()) // a programming error; the transaction is undone
	}
	e.Metadata = raw
	tx.Append(e)
}

// changed is the metadata of an edit: the members that differ, before and after.
type changed struct{ before, after map[string]any }

func (c *changed) note(member string, before, after any) {
	if c.before == nil {
		c.before, c.after = map[string]any{}, map[string]any{}
	}
	c.before[member], c.after[member] = before, after
}

func (c *changed) any() bool { return len(c.before) > 0 }

func (c *changed) metadata() map[string]any {
	return map[string]any{"before": c.before, "after": c.after}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// nameProblem says what is wrong with a name by which people tell things apart; nil: nothing. Two that differ in a space at
// an end, or in what shows nothing, would look the same.
func nameProblem(pointer, name string) []counterfoil.Problem {
	problems := personNameProblem(pointer, name)
	switch {
	case problems != nil:
		return problems
	case strings.TrimSpace(name) != name:
		return []counterfoil.Problem{invalid(pointer, "a name neither begins nor ends with a space")}
	case strings.TrimFunc(name, unseen) != name, strings.ContainsFunc(name, func(r rune) bool { return unseen(r) && !joins(r) }):
		return []counterfoil.Problem{invalid(pointer, "a name holds no characters that show nothing")}
	}
	return nil
}

// unseen reports whether a character shows nothing by itself; aside from those that make up flags, and those of the direction, which
// whoever shows a name keeps within it.
func unseen(r rune) bool {
	return unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Bidi_Control, r) && r < 0xE0000
}

// joins reports whether a character says how its neighbours are joined, which scripts and emoji need.
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' }

// personNameProblem is nameProblem for what a person is called, which need not be told apart: an e-mail address does that.
func personNameProblem(pointer, name string) []counterfoil.Problem {
	visible := false
	for _, r := range name {
		if unicode.IsControl(r) {
			return []counterfoil.Problem{invalid(pointer, "a name holds no control characters")}
		}
		visible = visible || !unicode.IsSpace(r) && !unseen(r)
	}
	if !visible || utf8.RuneCountInString(name) > 100 {
		return []counterfoil.Problem{invalid(pointer, "a name has 1 to 100 characters")}
	}
	return nil
}

func invalid(pointer, detail string) counterfoil.Problem {
	return counterfoil.Problem{Pointer: pointer, Code: counterfoil.CodeValidationFailed, Detail: detail}
}
