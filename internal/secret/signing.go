package secret

import "crypto/ed25519"

// SigningKey derives, from the instance key with this id, the key that signs checkpoints of the log. False: this node
// lacks the instance key.
func (k *Keyring) SigningKey(id uint8) (ed25519.PrivateKey, bool) {
	seed, ok := k.Digest(id, "counterfoil checkpoint signing key") // no token has such a form
	if !ok {
		return nil, false
	}
	return ed25519.NewKeyFromSeed(seed[:]), true
}
