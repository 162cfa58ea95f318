package secret_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil/internal/secret"
)

func TestKeyPairs(t *testing.T) {
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		private, public, err := secret.GenerateKeyPair(algorithm)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode([]byte(private))
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		key, got, canonical, err := secret.ParsePublicKey(public)
		if err != nil || got != algorithm || canonical != public {
			t.Errorf("%s: read as %s (%v)", algorithm, got, err)
		}
		half := parsed.(crypto.Signer).Public()
		if !key.(interface{ Equal(crypto.PublicKey) bool }).Equal(half) {
			t.Errorf("%s: the halves do not belong together", algorithm)
		}
		if _, _, _, err := secret.ParsePublicKey(private); !errors.Is(err, secret.ErrPrivateKey) {
			t.Errorf("%s: a private key in its place: %v", algorithm, err)
		}
	}
	if _, _, err := secret.GenerateKeyPair("HS256"); err == nil {
		t.Error("a pair was made for HS256")
	}
}

func TestPublicKeysRefused(t *testing.T) {
	text := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, good, err := secret.GenerateKeyPair("ES256")
	if err != nil {
		t.Fatal(err)
	}
	for name, given := range map[string]string{
		"nothing": "", "no PEM": "AAAA", "another block": strings.ReplaceAll(good, "PUBLIC KEY", "CERTIFICATE"), "two": good + good,
		"a small RSA key": text(&small.PublicKey), "another curve": text(&p384.PublicKey), "cut": good[:60] + good[70:],
	} {
		if _, _, _, err := secret.ParsePublicKey(given); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
