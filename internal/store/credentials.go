package store

import "github.com/counterfoil/counterfoil"

// User is a person who signs in: one e-mail, anywhere.
type User struct{ ID, Email string }

func scanUser(r scanner) (u User, err error) { return u, r.Scan(&u.ID, &u.Email) }

// User finds a person. It crosses organizations: a person belongs to none.
func (tx *Tx) User(id string) (User, bool, error) {
	return find(tx.q, scanUser, "SELECT id, email FROM users WHERE id = $1", id)
}

// UserByEmail finds a person by their e-mail address in lower case. It crosses organizations: a person belongs to none.
func (tx *Tx) UserByEmail(email string) (User, bool, error) {
	return find(tx.q, scanUser, "SELECT id, email FROM users WHERE email = $1", email)
}

// Membership is a person's place in one organization.
type Membership struct {
	Member       Member
	Organization Organization
}

// Memberships lists a person's places, whatever their status, in organizations that are not deleted, oldest first. It
// crosses organizations: it is how a person finds theirs.
func (tx *Tx) Memberships(user string) ([]Membership, error) {
	orgs, err := collect(tx.q, func(r scanner) (id [2]string, err error) { return id, r.Scan(&id[0], &id[1]) },
		"SELECT m.organization, m.id FROM members m JOIN organizations o ON o.id = m.organization WHERE m.user_id = $1 AND o.deleted_at = 0 ORDER BY m.id", user)
	if err != nil {
		return nil, err
	}
	out := make([]Membership, 0, len(orgs))
	for _, ids := range orgs {
		err := tx.In(ids[0], func(tx *Tx) error {
			m, found, err := tx.Member(ids[1])
			if err != nil || !found {
				return err
			}
			o, _, err := tx.CurrentOrganization()
			out = append(out, Membership{m, o})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Password finds the hash of a person's password, as a PHC string. It crosses organizations: it is the person's.
func (tx *Tx) Password(user string) (hash string, found bool, err error) {
	return find(tx.q, func(r scanner) (h string, err error) { return h, r.Scan(&h) }, "SELECT hash FROM passwords WHERE user_id = $1", user)
}

// SetPassword stores the hash of a person's password. It crosses organizations: it is the person's.
func (tx *Tx) SetPassword(user, hash string) error {
	_, err := tx.q.exec("INSERT INTO passwords (user_id, hash, changed_at) VALUES ($1,$2,$3) ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at",
		user, hash, int64(tx.now))
	return err
}

// DeletePassword takes a person's password away. It crosses organizations: it is the person's.
func (tx *Tx) DeletePassword(user string) error {
	_, err := tx.q.exec("DELETE FROM passwords WHERE user_id=$1", user)
	return err
}

// TOTP is a person's device for one-time codes. Its secret is sealed under the instance key KeyID.
type TOTP struct {
	Sealed    []byte
	KeyID     uint8
	LastStep  int64 // of the last code that was accepted
	CreatedAt counterfoil.Instant
}

// TOTP finds a person's device. It crosses organizations: it is the person's.
func (tx *Tx) TOTP(user string) (TOTP, bool, error) {
	return find(tx.q, func(r scanner) (t TOTP, err error) { return t, r.Scan(&t.Sealed, &t.KeyID, &t.LastStep, &t.CreatedAt) },
		"SELECT sealed, key_id, last_step, created_at FROM totp_devices WHERE user_id = $1", user)
}

// SetTOTP gives a person their device, in place of the one before. It crosses organizations: it is the person's.
func (tx *Tx) SetTOTP(user string, t TOTP) error {
	_, err := tx.q.exec(`INSERT INTO totp_devices (user_id, sealed, key_id, last_step, created_at) VALUES ($1,$2,$3,$4,$5)
		ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, key_id = excluded.key_id, last_step = excluded.last_step, created_at = excluded.created_at`,
		user, t.Sealed, int64(t.KeyID), t.LastStep, int64(tx.now))
	return err
}

// UseTOTPStep notes that the code of a step was accepted; false: that one or a later one was before. It crosses
// organizations: the device is the person's.
func (tx *Tx) UseTOTPStep(user string, step int64) (bool, error) {
	n, err := tx.q.exec("UPDATE totp_devices SET last_step=$1 WHERE user_id=$2 AND last_step < $1", step, user)
	return n == 1, err
}

// DeleteTOTP takes a person's device away; false: there was none. It crosses organizations: it is the person's.
func (tx *Tx) DeleteTOTP(user string) (bool, error) {
	n, err := tx.q.exec("DELETE FROM totp_devices WHERE user_id=$1", user)
	return n == 1, err
}

// SetRecoveryCodes gives a person new recovery codes, by digest, in place of all before; nil takes them away. It crosses
// organizations: they are the person's.
func (tx *Tx) SetRecoveryCodes(user string, digests [][]byte) error {
	if _, err := tx.q.exec("DELETE FROM recovery_codes WHERE user_id=$1", user); err != nil {
		return err
	}
	for _, d := range digests {
		if _, err := tx.q.exec("INSERT INTO recovery_codes (user_id, digest, created_at) VALUES ($1,$2,$3)", user, d, int64(tx.now)); err != nil {
			return err
		}
	}
	return nil
}

// UseRecoveryCode uses a recovery code up; false: the person has no such code. It crosses organizations: it is the
// person's.
func (tx *Tx) UseRecoveryCode(user string, digest []byte) (bool, error) {
	n, err := tx.q.exec("DELETE FROM recovery_codes WHERE user_id=$1 AND digest=$2", user, digest)
	return n == 1, err
}

// RecoveryCodes counts the codes that a person has left. It crosses organizations: they are the person's.
func (tx *Tx) RecoveryCodes(user string) (n int64, err error) {
	err = tx.q.row("SELECT COUNT(*) FROM recovery_codes WHERE user_id=$1", user).Scan(&n)
	return n, err
}

// ExternalUser finds whom an identity provider's subject stands for. It crosses organizations: it is how they sign in.
func (tx *Tx) ExternalUser(issuer, subject string) (user string, found bool, err error) {
	return find(tx.q, func(r scanner) (u string, err error) { return u, r.Scan(&u) }, "SELECT user_id FROM external_identities WHERE issuer=$1 AND subject=$2", issuer, subject)
}

// ExternalSubject finds which subject of an identity provider stands for a person. It crosses organizations: it is the
// person's.
func (tx *Tx) ExternalSubject(issuer, user string) (subject string, found bool, err error) {
	return find(tx.q, func(r scanner) (s string, err error) { return s, r.Scan(&s) },
		"SELECT subject FROM external_identities WHERE issuer=$1 AND user_id=$2 ORDER BY subject LIMIT 1", issuer, user)
}

// LinkExternalUser remembers whom an identity provider's subject stands for; ErrTaken: it is known already. It crosses
// organizations: it is the person's.
func (tx *Tx) LinkExternalUser(issuer, subject, user string) error {
	_, err := tx.q.exec("INSERT INTO external_identities (issuer, subject, user_id, created_at) VALUES ($1,$2,$3,$4)", issuer, subject, user, int64(tx.now))
	return err
}
