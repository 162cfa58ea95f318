package store

// Assignments lists the organizations that a member of the transaction's organization, a provider, is assigned to, oldest
// first: those that it manages.
func (tx *Tx) Assignments(member string) ([]string, error) {
	return tx.managedIDs("id IN (SELECT a.organization FROM assignments a JOIN members m ON m.id = a.member WHERE a.member = $2 AND m.organization = $1)", member)
}

// ManagedIDs lists the organizations that the transaction's organization manages, oldest first.
func (tx *Tx) ManagedIDs() ([]string, error) { return tx.managedIDs("$2 = ''", "") }

func (tx *Tx) managedIDs(which, bind string) ([]string, error) {
	return collect(tx.q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		"SELECT id FROM organizations WHERE managed_by = $1 AND deleted_at = 0 AND "+which+" ORDER BY id", tx.org, bind)
}

// Assigned reports whether a member of the transaction's organization, a provider, is assigned to an organization.
func (tx *Tx) Assigned(member, organization string) (bool, error) {
	var n int64
	err := tx.q.row("SELECT COUNT(*) FROM assignments a JOIN members m ON m.id = a.member WHERE a.member = $1 AND a.organization = $2 AND m.organization = $3",
		member, organization, tx.org).Scan(&n)
	return n > 0, err
}

// Assign assigns a member of the transaction's organization, a provider, to these organizations and to no others. The
// transaction must hold ForRules.
func (tx *Tx) Assign(member string, organizations []string) error {
	if _, err := tx.q.exec("DELETE FROM assignments WHERE member IN (SELECT id FROM members WHERE id = $1 AND organization = $2)", member, tx.org); err != nil {
		return err
	}
	for _, id := range organizations {
		if _, err := tx.q.exec("INSERT INTO assignments (member, organization) SELECT id, $1 FROM members WHERE id = $2 AND organization = $3", id, member, tx.org); err != nil {
			return err
		}
	}
	return nil
}

// Unassign takes the transaction's organization from everybody who was assigned to it.
func (tx *Tx) Unassign() error {
	_, err := tx.q.exec("DELETE FROM assignments WHERE organization = $1", tx.org)
	return err
}

// Hold keeps the rules and members of a further organization still, as ForTokens does those of the transaction's own. The
// transaction must be of an organization that the other one manages: locks are taken in that order alone.
func (tx *Tx) Hold(organization string) error { return tx.q.hold(organization) }
