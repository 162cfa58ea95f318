package secret

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	rsaBits     = 3072
	leastRSA    = 2048
	mostRSA     = 8192
	publicBlock = "PUBLIC KEY"
)

// GenerateKeyPair makes a key pair for a JWT algorithm: EdDSA (Ed25519), ES256 or RS256. private is PKCS #8 and public
// SubjectPublicKeyInfo, both PEM. The private half is kept nowhere here.
func GenerateKeyPair(algorithm string) (private, public string, err error) {
	var key crypto.Signer
	switch algorithm {
	case "EdDSA":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "RS256":
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		err = fmt.Errorf("no key is made for the algorithm %q", algorithm)
	}
	if err != nil {
		return "", "", err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	public, err = encodePublic(key.Public())
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), public, err
}

func encodePublic(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der})), nil
}

// ErrPrivateKey says that a private key stands where a public one is wanted.
var ErrPrivateKey = errors.New("this is a private key: keep it, and give its public half; whoever has seen it can sign with it")

// ParsePublicKey reads a public key in PEM and says for which JWT algorithm it is: one alone. canonical is the same key as
// this package writes it. Errors are for the person who gave the text.
func ParsePublicKey(text string) (key crypto.PublicKey, algorithm, canonical string, err error) {
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, "", "", ErrPrivateKey
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != publicBlock || strings.TrimSpace(string(rest)) != "" {
		return nil, "", "", errors.New("give one PEM block, BEGIN PUBLIC KEY")
	}
	if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return nil, "", "", errors.New("the PEM block holds no public key that can be read")
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		algorithm = "EdDSA"
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, "", "", errors.New("an elliptic curve key is on P-256 (ES256)")
		}
		algorithm = "ES256"
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < leastRSA || bits > mostRSA {
			return nil, "", "", fmt.Errorf("an RSA key has %d to %d bits; this one has %d", leastRSA, mostRSA, bits)
		}
		if k.E < 65537 || k.E&1 == 0 {
			return nil, "", "", errors.New("the public exponent of an RSA key is 65537 or another odd number above")
		}
		algorithm = "RS256"
	default:
		return nil, "", "", errors.New("a key is Ed25519, P-256 or RSA")
	}
	canonical, err = encodePublic(key)
	return key, algorithm, canonical, err
}
