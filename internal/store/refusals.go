package store

import (
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Refusal is what was noted of refused checks, folded by token, code, address and what was asked for within a minute.
type Refusal struct {
	ID, Organization, Token string
	Code                    counterfoil.Code
	IP, Endpoint            string
	Permissions             []string
	FirstAt, LastAt         counterfoil.Instant
	Count                   int64
	Trace                   string // JSON
}

// SaveRefusal writes a refusal of the organization, or brings its count up to date. ErrTaken: the id is another
// organization's.
func (tx *Tx) SaveRefusal(r Refusal) error {
	n, err := tx.q.exec(`INSERT INTO refusals (id, organization, token, code, ip, endpoint, permissions, first_at, last_at, count, trace)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11) ON CONFLICT (id) DO UPDATE SET last_at = excluded.last_at, count = excluded.count
		WHERE refusals.organization = excluded.organization`,
		r.ID, tx.org, r.Token, string(r.Code), r.IP, r.Endpoint, strings.Join(r.Permissions, " "), int64(r.FirstAt), int64(r.LastAt), r.Count, r.Trace)
	if err == nil && n != 1 {
		return ErrTaken
	}
	return err
}

const refusalColumns = "id, organization, token, code, ip, endpoint, permissions, first_at, last_at, count, trace"

func scanRefusal(r scanner) (o Refusal, err error) {
	var permissions string
	err = r.Scan(&o.ID, &o.Organization, &o.Token, &o.Code, &o.IP, &o.Endpoint, &permissions, &o.FirstAt, &o.LastAt, &o.Count, &o.Trace)
	o.Permissions = strings.Fields(permissions)
	return o, err
}

// Refusal finds a refusal of the organization.
func (tx *Tx) Refusal(id string) (Refusal, bool, error) {
	return find(tx.q, scanRefusal, "SELECT "+refusalColumns+" FROM refusals WHERE organization=$1 AND id=$2", tx.org, id)
}

// RefusalFilter narrows a list of refusals. Empty fields do not narrow.
type RefusalFilter struct {
	Token  string
	Code   counterfoil.Code
	IP     string
	Before string // an id: those that began before it
	Limit  int
}

// Refusals lists the organization's refusals, those that began last first.
func (tx *Tx) Refusals(f RefusalFilter) ([]Refusal, error) {
	w := where{}
	w.add("organization = ?", tx.org)
	for _, c := range [][2]string{{"token = ?", f.Token}, {"code = ?", string(f.Code)}, {"ip = ?", f.IP}, {"id < ?", f.Before}} {
		if c[1] != "" {
			w.add(c[0], c[1])
		}
	}
	return collect(tx.q, scanRefusal, "SELECT "+refusalColumns+" FROM refusals WHERE "+w.sql()+" ORDER BY id DESC"+w.bind(" LIMIT ?", f.Limit), w.args...)
}
