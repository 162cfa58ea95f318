package store

import "github.com/counterfoil/counterfoil"

// Passkey is a WebAuthn credential of a person.
type Passkey struct {
	ID         string // pky_…
	User       string
	Name       string
	Credential string // JSON, with every flag
	CreatedAt  counterfoil.Instant
	UsedAt     counterfoil.Instant // zero: never
}

const passkeyColumns = "id, user_id, name, credential, created_at, used_at"

func scanPasskey(r scanner) (p Passkey, err error) {
	return p, r.Scan(&p.ID, &p.User, &p.Name, &p.Credential, &p.CreatedAt, &p.UsedAt)
}

// Passkeys lists a person's passkeys, oldest first. It crosses organizations: they are the person's.
func (tx *Tx) Passkeys(user string) ([]Passkey, error) {
	return collect(tx.q, scanPasskey, "SELECT "+passkeyColumns+" FROM passkeys WHERE user_id=$1 ORDER BY id", user)
}

// InsertPasskey adds a passkey under the id that its authenticator gave it. ErrTaken: that is registered already. It
// crosses organizations: it is the person's.
func (tx *Tx) InsertPasskey(p Passkey, credentialID []byte) error {
	_, err := tx.q.exec("INSERT INTO passkeys (credential_id, "+passkeyColumns+") VALUES ($1,$2,$3,$4,$5,$6,0)",
		credentialID, p.ID, p.User, p.Name, p.Credential, int64(tx.now))
	return err
}

// UsePasskey notes that a passkey was used, with what it counts now. It crosses organizations: it is the person's.
func (tx *Tx) UsePasskey(id, credential string) error {
	_, err := tx.q.exec("UPDATE passkeys SET credential=$1, used_at=$2 WHERE id=$3", credential, int64(tx.now), id)
	return err
}

// RenamePasskey renames a passkey of the person; false: there is none. It crosses organizations: it is the person's.
func (tx *Tx) RenamePasskey(user, id, name string) (bool, error) {
	n, err := tx.q.exec("UPDATE passkeys SET name=$1 WHERE user_id=$2 AND id=$3", name, user, id)
	return n == 1, err
}

// DeletePasskey removes a passkey of the person; false: there is none. It crosses organizations: it is the person's.
func (tx *Tx) DeletePasskey(user, id string) (bool, error) {
	n, err := tx.q.exec("DELETE FROM passkeys WHERE user_id=$1 AND id=$2", user, id)
	return n == 1, err
}
