package store

import (
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Member is a stored member with its version.
type Member struct {
	counterfoil.Member
	Version int64
}

const memberColumns = `m.id, m.user_id, u.email, m.name, m.roles, m.status, m.external_id, m.created_at, m.version`

const fromMembers = " FROM members m JOIN users u ON u.id = m.user_id "

func scanMember(r scanner) (Member, error) {
	var m Member
	var roles, external string
	var created counterfoil.Instant
	err := r.Scan(&m.ID, &m.UserID, &m.Email, &m.Name, &roles, &m.Status, &external, &created, &m.Version)
	m.Roles, m.CreatedAt = strings.Fields(roles), created.Time()
	if external != "" {
		m.ExternalID = &external
	}
	return m, err
}

// Member finds a member of the organization.
func (tx *Tx) Member(id string) (Member, bool, error) {
	return remembered(tx.memo.people(), tx.org+"/"+id, func() (Member, bool, error) { return tx.member(id) })
}

func (tx *Tx) member(id string) (Member, bool, error) {
	return find(tx.q, scanMember, "SELECT "+memberColumns+fromMembers+"WHERE m.organization = $1 AND m.id = $2", tx.org, id)
}

// MemberByEmail finds a member of the organization by their e-mail address, in lower case.
func (tx *Tx) MemberByEmail(email string) (Member, bool, error) {
	return find(tx.q, scanMember, "SELECT "+memberColumns+fromMembers+"WHERE m.organization = $1 AND u.email = $2", tx.org, email)
}

// Members lists the organization's members, oldest first, after the given id; text narrows by part of e-mail or name.
func (tx *Tx) Members(text, after string, limit int) ([]Member, error) {
	w := where{}
	w.add("m.organization = ?", tx.org)
	w.add("m.id > ?", after)
	if text != "" {
		w.add(`m.search LIKE ? ESCAPE '\'`, likePart(text))
	}
	return collect(tx.q, scanMember, "SELECT "+memberColumns+fromMembers+"WHERE "+w.sql()+" ORDER BY m.id"+w.bind(" LIMIT ?", limit), w.args...)
}

// OtherOwners counts the active members but the given one who hold the role owner.
func (tx *Tx) OtherOwners(except string) (n int64, err error) {
	err = tx.q.row("SELECT COUNT(*) FROM members WHERE organization = $1 AND id <> $2 AND status = $3 AND "+holds("$4"),
		tx.org, except, string(counterfoil.MemberActive), " owner ").Scan(&n)
	return n, err
}

// RoleHolders counts the members who hold a role.
func (tx *Tx) RoleHolders(role string) (n int64, err error) {
	err = tx.q.row("SELECT COUNT(*) FROM members WHERE organization = $1 AND "+holds("$2"), tx.org, " "+role+" ").Scan(&n)
	return n, err
}

// holds is the condition that a member's roles include the one that is bound, with a blank on either side. LIKE would not
// do: on SQLite it ignores case.
func holds(bind string) string {
	return "REPLACE(' ' || roles || ' ', " + bind + ", '') <> ' ' || roles || ' '"
}

// InsertMember adds a member; the person is found by e-mail (compared in lower case) or made. The name is this
// organization's: no other sees it. ErrTaken: the person is a
// member of this organization already.
func (tx *Tx) InsertMember(m counterfoil.Member) (Member, error) {
	email := strings.ToLower(m.Email)
	_, err := tx.q.exec("INSERT INTO users (id, email, created_at) VALUES ($1,$2,$3) ON CONFLICT (email) DO NOTHING", NewID("usr"), email, int64(tx.now))
	if err != nil {
		return Member{}, err
	}
	var user string
	if err := tx.q.row("SELECT id FROM users WHERE email = $1", email).Scan(&user); err != nil {
		return Member{}, err
	}
	var external string
	if m.ExternalID != nil {
		external = *m.ExternalID
	}
	id := NewID("mem")
	_, err = tx.q.exec("INSERT INTO members (id, organization, user_id, name, search, roles, status, external_id, created_at, version) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,1)",
		id, tx.org, user, m.Name, searchable(email, m.Name), strings.Join(m.Roles, " "), string(m.Status), external, int64(tx.now))
	if err != nil {
		return Member{}, err
	}
	made, _, err := tx.Member(id)
	return made, err
}

// UpdateMember writes a member's roles and status. The transaction must hold ForRules.
func (tx *Tx) UpdateMember(m counterfoil.Member) error {
	tx.memo.forget()
	_, err := tx.q.exec("UPDATE members SET roles=$1, status=$2, version=version+1 WHERE organization=$3 AND id=$4",
		strings.Join(m.Roles, " "), string(m.Status), tx.org, m.ID)
	return err
}

// DeleteMember removes a member from the organization, with what they were assigned to; the person stays. The transaction must hold ForRules.
func (tx *Tx) DeleteMember(id string) error {
	tx.memo.forget()
	if err := tx.Assign(id, nil); err != nil {
		return err
	}
	_, err := tx.q.exec("DELETE FROM members WHERE organization=$1 AND id=$2", tx.org, id)
	return err
}
