package store

import "github.com/counterfoil/counterfoil"

// ProviderKey is a stored key of a provider. Public is PEM.
type ProviderKey struct {
	ID, Provider, Name string
	Algorithm          counterfoil.KeyAlgorithm
	Public             string
	CreatedAt          counterfoil.Instant
	CreatedBy          string
	RevokedAt          counterfoil.Instant // 0: live
	RevokedBy          string
	UsedAt             counterfoil.Instant // 0: never
	UsedIP             string
}

const providerKeyColumns = "id, organization, name, algorithm, public_key, created_at, created_by, revoked_at, revoked_by, used_at, used_ip"

func scanProviderKey(r scanner) (k ProviderKey, err error) {
	return k, r.Scan(&k.ID, &k.Provider, &k.Name, &k.Algorithm, &k.Public, &k.CreatedAt, &k.CreatedBy, &k.RevokedAt, &k.RevokedBy, &k.UsedAt, &k.UsedIP)
}

// ProviderKeyByID finds a key, live or revoked. It crosses organizations: a JWT names its key and nothing that could be
// believed before its signature is checked.
func (tx *Tx) ProviderKeyByID(id string) (ProviderKey, bool, error) {
	return find(tx.q, scanProviderKey, "SELECT "+providerKeyColumns+" FROM provider_keys WHERE id = $1", id)
}

// ProviderKeys lists the keys of the transaction's organization, oldest first; revoked ones too.
func (tx *Tx) ProviderKeys() ([]ProviderKey, error) {
	return collect(tx.q, scanProviderKey, "SELECT "+providerKeyColumns+" FROM provider_keys WHERE organization = $1 ORDER BY id", tx.org)
}

// InsertProviderKey adds a key to the transaction's organization.
func (tx *Tx) InsertProviderKey(k ProviderKey) error {
	_, err := tx.q.exec("INSERT INTO provider_keys ("+providerKeyColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7,0,'',0,'')",
		k.ID, tx.org, k.Name, string(k.Algorithm), k.Public, int64(tx.now), k.CreatedBy)
	return err
}

// RevokeProviderKey ends a key of the transaction's organization; false: it has no such live one.
func (tx *Tx) RevokeProviderKey(id, by string) (bool, error) {
	n, err := tx.q.exec("UPDATE provider_keys SET revoked_at=$1, revoked_by=$2 WHERE id=$3 AND organization=$4 AND revoked_at=0", int64(tx.now), by, id, tx.org)
	return n == 1, err
}

// AcceptJWT notes the use of a key and of a JWT's jti, which may be forgotten after until. ErrTaken: the jti was accepted
// before; nothing else of the transaction holds then.
func (tx *Tx) AcceptJWT(key, jti string, until counterfoil.Instant, ip string) error {
	if _, err := tx.q.exec("DELETE FROM provider_jtis WHERE organization=$1 AND until < $2", tx.org, int64(tx.now)); err != nil {
		return err
	}
	if _, err := tx.q.exec("INSERT INTO provider_jtis (organization, jti, until) VALUES ($1,$2,$3)", tx.org, jti, int64(until)); err != nil {
		return err
	}
	_, err := tx.q.exec("UPDATE provider_keys SET used_at=$1, used_ip=$2 WHERE id=$3 AND organization=$4 AND used_at <= $5", int64(tx.now), ip, key, tx.org, int64(tx.now))
	return err
}

// JWTAccepted reports whether a jti of the organization's was accepted and is still remembered.
func (tx *Tx) JWTAccepted(jti string) (bool, error) {
	_, accepted, err := find(tx.q, func(r scanner) (n int64, err error) { return n, r.Scan(&n) }, "SELECT 1 FROM provider_jtis WHERE organization=$1 AND jti=$2", tx.org, jti)
	return accepted, err
}
