package consistency_test

import (
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/counterfoil/counterfoil"
)

// operation is what somebody did with one token: a change, or a check.
type operation struct {
	node   int    // from nodes on: a verifier
	what   string // create, pause, resume, revoke, check, strict
	call   time.Duration
	end    time.Duration    // never: the outcome is unknown
	answer counterfoil.Code // of a check
}

const never = time.Duration(1<<63 - 1)

func (o *operation) changes() bool { return o.what != "check" && o.what != "strict" }

// The states of a token, by what a check says of it.
const (
	active  = counterfoil.CodeOK
	paused  = counterfoil.CodeTokenPaused
	revoked = counterfoil.CodeTokenRevoked
)

// register is a token as a register: changes write it, and checks read it. A change of unknown outcome may have happened,
// or not.
var register = porcupine.NondeterministicModel{
	Init: func() []any { return []any{active} },
	Step: func(state, input, _ any) []any {
		o, at := input.(operation), state.(counterfoil.Code)
		if !o.changes() {
			if o.answer == at {
				return []any{at}
			}
			return nil
		}
		next := map[string]counterfoil.Code{"pause": paused, "resume": active, "revoke": revoked}[o.what]
		if at == revoked {
			next = revoked
		}
		if o.end == never {
			return []any{at, next}
		}
		return []any{next}
	},
	Equal: func(a, b any) bool { return a == b },
}

// linearizable reports whether a history of one token is what a single register would give: strict checks in the order
// of time; others may be behind as long as a change is not acknowledged, so each may be as old as the oldest change that
// was under way when it began. What began after an acknowledgement sees the change, at every node, whatever else is under way: so none
// is older than the last acknowledgement before it.
func linearizable(history []operation) porcupine.CheckResult {
	relaxed := slices.Clone(history)
	for i := range relaxed {
		if o := &relaxed[i]; o.what == "check" {
			began, known := o.call, time.Duration(0)
			for _, w := range history {
				switch {
				case !w.changes() || w.call >= began:
				case w.end >= began:
					o.call = min(o.call, w.call)
				default:
					known = max(known, w.end+1) // at the same moment would be side by side
				}
			}
			o.call = max(o.call, known)
		}
	}
	var ops []porcupine.Operation
	first := firstLost(relaxed)
	for i, o := range relaxed {
		if o.what == "revoke" && o.end == never && i != first {
			continue
		}
		if !implied(relaxed, i) {
			ops = append(ops, porcupine.Operation{Input: o, Call: int64(o.call), Return: int64(o.end)})
		}
	}
	return porcupine.CheckOperationsTimeout(register.ToModel(), ops, 20*time.Second)
}

// firstLost is the first revocation of unknown outcome to be asked for; -1: there is none. It may come true at any time, and then for
// good: further ones that may add nothing, and would take the checker long.
func firstLost(ops []operation) int {
	first := -1
	for i, o := range ops {
		if o.what == "revoke" && o.end == never && (first < 0 || o.call < ops[first].call) {
			first = i
		}
	}
	return first
}

// implied reports whether another check with the same answer lies within the time of this one: then this one can be put
// beside it, and says nothing more.
func implied(ops []operation, i int) bool {
	o := &ops[i]
	if o.changes() {
		return false
	}
	for j := range ops {
		within := !ops[j].changes() && ops[j].answer == o.answer && ops[j].call >= o.call && ops[j].end <= o.end
		if same := ops[j].call == o.call && ops[j].end == o.end; within && j != i && (!same || j < i) {
			return true
		}
	}
	return false
}

// The checker itself: what must pass passes, and what breaks a promise is found.
func TestChecker(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	at := func(what string, call, end int, answer counterfoil.Code) operation {
		return operation{what: what, call: ms(call), end: ms(end), answer: answer}
	}
	unknown := func(what string, call int) operation { return operation{what: what, call: ms(call), end: never} }
	revoke := at("revoke", 10, 20, "")
	for _, c := range []struct {
		name string
		ops  []operation
		good bool
	}{
		{"a check before", []operation{at("check", 1, 2, active), revoke}, true},
		{"a check during that says yes", []operation{revoke, at("check", 12, 30, active)}, true},
		{"one node is behind another while it is under way", []operation{revoke, at("check", 12, 13, revoked), at("check", 14, 15, active)}, true},
		{"a yes after", []operation{revoke, at("check", 21, 22, active)}, false},
		{"a yes after, while somebody else's is under way", []operation{at("revoke", 5, 40, ""), revoke, at("check", 21, 22, active)}, false},
		{"a yes after another's that is not answered", []operation{unknown("revoke", 5), revoke, at("check", 21, 22, active)}, false},
		{"a yes after, much later", []operation{revoke, at("check", 21, 22, revoked), at("check", 500, 501, active)}, false},
		{"strict checks go back", []operation{revoke, at("strict", 12, 13, revoked), at("strict", 14, 15, active)}, false},
		{"strict checks in order", []operation{revoke, at("strict", 12, 13, active), at("strict", 14, 15, revoked)}, true},
		{"a revoked token that was resumed", []operation{revoke, at("resume", 30, 40, ""), at("check", 50, 51, active)}, false},
		{"a no of a token that was never paused", []operation{at("check", 1, 2, paused)}, false},
		{"a resumed token that one node still refuses", []operation{at("pause", 1, 2, ""), at("resume", 3, 4, ""), at("check", 5, 6, paused)}, false},
		{"an unknown revocation may hold", []operation{unknown("revoke", 10), at("strict", 20, 21, revoked)}, true},
		{"or not", []operation{unknown("revoke", 10), at("strict", 20, 21, active)}, true},
		{"nor do several", []operation{unknown("revoke", 12), unknown("revoke", 10), unknown("revoke", 14), at("strict", 11, 13, active), at("strict", 20, 21, revoked)}, true},
		{"nor come before it was asked for", []operation{unknown("revoke", 12), unknown("revoke", 10), at("strict", 5, 6, revoked)}, false},
		{"but not go back", []operation{unknown("revoke", 10), at("strict", 20, 21, revoked), at("strict", 22, 23, active)}, false},
	} {
		if got := linearizable(c.ops); got != map[bool]porcupine.CheckResult{true: porcupine.Ok, false: porcupine.Illegal}[c.good] {
			t.Errorf("%s: %v", c.name, got)
		}
		slices.Reverse(c.ops)
		if got := linearizable(c.ops); (got == porcupine.Ok) != c.good {
			t.Errorf("%s, recorded in another order: %v", c.name, got)
		}
	}
}
