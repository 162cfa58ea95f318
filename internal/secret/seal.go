package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// ErrSealed says that sealed data cannot be opened: this node lacks the key, or it was sealed otherwise.
var ErrSealed = errors.New("sealed data cannot be opened with this instance key")

// Seal encrypts plain with AES-256-GCM under a key of its own for each purpose, derived from the current instance key, and
// binds it to context, such as the id of whom it belongs to. It returns the id of the instance key, to be kept beside it.
func (k *Keyring) Seal(purpose, context string, plain []byte) (keyID uint8, sealed []byte, err error) {
	keyID = k.Current()
	gcm, err := k.sealer(keyID, purpose)
	if err != nil {
		return 0, nil, err
	}
	return keyID, gcm.Seal(nil, nil, plain, []byte(context)), nil
}

// Unseal decrypts what Seal made with the same purpose and context. Whatever is wrong is ErrSealed.
func (k *Keyring) Unseal(keyID uint8, purpose, context string, sealed []byte) ([]byte, error) {
	gcm, err := k.sealer(keyID, purpose)
	if err != nil {
		return nil, err
	}
	plain, err := gcm.Open(nil, nil, sealed, []byte(context))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// sealer derives the key of a purpose: HKDF-Expand (RFC 5869 section 2.3) of 32 bytes is HMAC(key, info ‖ 0x01), and the
// instance key is uniform, so it needs no extraction. No token string ends so.
func (k *Keyring) sealer(keyID uint8, purpose string) (cipher.AEAD, error) {
	key, ok := k.Digest(keyID, "counterfoil seal: "+purpose+"\x01")
	if !ok {
		return nil, ErrSealed
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
