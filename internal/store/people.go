package store

import (
	"strings"

	"github.com/counterfoil/counterfoil"
)

// LiveTokens counts, for each of the owners who has any, their tokens that are active now. longest holds the longest
// lifetime in seconds of the kinds that have one: a token past it is expired.
func (tx *Tx) LiveTokens(owners []string, longest map[counterfoil.Kind]int64) (map[string]int64, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	ids := make([]any, len(owners))
	for i, id := range owners {
		ids[i] = id
	}
	w := where{}
	w.add("t.organization = ?", tx.org)
	w.add("t.owner <> ''") // what the index holds
	w.add("t.owner IN (?"+strings.Repeat(",?", len(ids)-1)+")", ids...)
	w.status(TokenFilter{Status: counterfoil.StatusActive, MaxLifetime: longest}, tx.now)
	return tx.counts("SELECT t.owner, COUNT(*) FROM tokens t WHERE "+w.sql()+" GROUP BY t.owner", w.args...)
}

// counts runs a query of names with their numbers.
func (tx *Tx) counts(query string, args ...any) (map[string]int64, error) {
	type count struct {
		name string
		n    int64
	}
	list, err := collect(tx.q, func(r scanner) (c count, err error) { return c, r.Scan(&c.name, &c.n) }, query, args...)
	out := make(map[string]int64, len(list))
	for _, c := range list {
		out[c.name] = c.n
	}
	return out, err
}

// lookBack bounds how many of a person's last entries are looked at for a sign-in.
const lookBack = 500

// LastSignIn returns when a person, named by UUID, last signed in, as far as the last entries about them in the
// organization's log say; 0 when they do not. all: these are all that the log holds about them.
func (tx *Tx) LastSignIn(user string) (at counterfoil.Instant, all bool, err error) {
	by := tx.eventsBy(EventFilter{Users: []string{user}})
	var entries int
	err = tx.q.row(`SELECT COALESCE(MAX(CASE WHEN e.type = 'login' AND e.action = 'user_login_successful' THEN e.at END), 0), COUNT(*) FROM (SELECT type, action, at FROM `+by+`
		WHERE organization = $1 AND user_uuid <> '' AND user_uuid = $2 AND seq > 0 ORDER BY seq DESC LIMIT $3) e`, tx.org, user, lookBack).Scan(&at, &entries)
	return at, entries < lookBack, err
}

// RoleCounts counts the members who hold each role that anybody holds.
func (tx *Tx) RoleCounts() (map[string]int64, error) {
	sets, err := tx.counts("SELECT roles, COUNT(*) FROM members WHERE organization = $1 GROUP BY roles", tx.org)
	out := map[string]int64{}
	for roles, n := range sets {
		for _, role := range strings.Fields(roles) {
			out[role] += n
		}
	}
	return out, err
}

// MembersWith lists members who hold a role, oldest first.
func (tx *Tx) MembersWith(role string, limit int) ([]Member, error) {
	return collect(tx.q, scanMember, "SELECT "+memberColumns+fromMembers+"WHERE m.organization = $1 AND "+holds("$2")+" ORDER BY m.id LIMIT $3",
		tx.org, " "+role+" ", limit)
}
