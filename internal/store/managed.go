package store

import "github.com/counterfoil/counterfoil"

// ManagedFilter selects the organizations that a provider manages. The zero filter selects none: Limit counts.
type ManagedFilter struct {
	Text   string // part of the name or slug; case does not matter
	Status counterfoil.OrgStatus
	// Assigned names the member whose organizations alone are wanted; empty: all.
	Assigned string
	After    string // the id of the last one before
	Limit    int
}

// Managed lists the organizations that the transaction's organization manages, oldest first.
func (tx *Tx) Managed(f ManagedFilter) ([]Organization, error) {
	w := where{}
	w.add("managed_by = ?", tx.org)
	w.add("deleted_at = 0")
	w.add("id > ?", f.After)
	if f.Status != "" {
		w.add("status = ?", string(f.Status))
	}
	if f.Text != "" {
		w.add(`search LIKE ? ESCAPE '\'`, likePart(f.Text))
	}
	if f.Assigned != "" {
		w.add("id IN (SELECT a.organization FROM assignments a WHERE a.member = ?)", f.Assigned)
	}
	return collect(tx.q, scanOrganization, "SELECT "+organizationColumns+" FROM organizations WHERE "+w.sql()+" ORDER BY id"+w.bind(" LIMIT ?", f.Limit), w.args...)
}

// NFROrganization finds the one that the transaction's organization manages without a charge.
func (tx *Tx) NFROrganization() (Organization, bool, error) {
	return find(tx.q, scanOrganization, "SELECT "+organizationColumns+
		" FROM organizations WHERE managed_by = $1 AND license = 'nfr' AND deleted_at = 0 LIMIT 1", tx.org)
}

// Seats counts the members of the transaction's organization by status.
func (tx *Tx) Seats() (s counterfoil.Seats, err error) {
	rows, err := collect(tx.q, func(r scanner) (row struct {
		status counterfoil.MemberStatus
		n      int64
	}, err error) {
		return row, r.Scan(&row.status, &row.n)
	}, "SELECT status, COUNT(*) FROM members WHERE organization = $1 GROUP BY status", tx.org)
	for _, row := range rows {
		switch row.status {
		case counterfoil.MemberActive:
			s.Active = row.n
		case counterfoil.MemberInvited:
			s.Pending = row.n
		case counterfoil.MemberSuspended:
			s.Suspended = row.n
		}
	}
	return s, err
}

// EndedTrials lists organizations whose trial has ended and is not yet noted as standard. It crosses organizations: it is
// the instance's own housekeeping.
func (tx *Tx) EndedTrials(limit int) ([]Organization, error) {
	return collect(tx.q, scanOrganization, "SELECT "+organizationColumns+
		` FROM organizations WHERE license = 'trial' AND deleted_at = 0 AND CASE trial_ends_at WHEN 0 THEN created_at + 1209600000000 ELSE trial_ends_at END <= $1
		ORDER BY id LIMIT $2`, int64(tx.now), limit)
}
