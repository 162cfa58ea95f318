package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/counterfoil/counterfoil/internal/identity"
)

// authenticator is a passkey as a browser and its device would act: WebAuthn level 3, sections 6 and 7.
type authenticator struct {
	t        testing.TB
	id       []byte
	key      *ecdsa.PrivateKey
	user     []byte
	count    uint32
	origin   string
	party    string
	verifies bool
}

func newAuthenticator(t testing.TB) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authenticator{t: t, key: key, id: make([]byte, 16), origin: "https://book.example", party: "book.example", verifies: true}
	_, _ = rand.Read(a.id)
	return a
}

const (
	flagPresent  = 0x01
	flagVerified = 0x04
	flagAttested = 0x40
)

func (a *authenticator) data(flags byte) []byte {
	party := sha256.Sum256([]byte(a.party))
	flags |= flagPresent
	if a.verifies {
		flags |= flagVerified
	}
	return binary.BigEndian.AppendUint32(append(party[:], flags), a.count)
}

func (a *authenticator) client(typ string, options json.RawMessage) []byte {
	a.t.Helper()
	var o struct {
		Challenge string `json:"challenge"`
		User      struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := json.Unmarshal(options, &o); err != nil || o.Challenge == "" {
		a.t.Fatalf("the options %s: %v", options, err)
	}
	if o.User.ID != "" {
		a.user, _ = base64.RawURLEncoding.DecodeString(o.User.ID)
	}
	raw, err := json.Marshal(map[string]any{"type": typ, "challenge": o.Challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *authenticator) answer(response map[string]any) []byte {
	raw, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// register answers a request to make a passkey.
func (a *authenticator) register(c identity.Ceremony) []byte {
	a.t.Helper()
	client := a.client("webauthn.create", c.Options)
	point, err := a.key.PublicKey.Bytes() // 0x04 ‖ X ‖ Y
	if err != nil {
		a.t.Fatal(err)
	}
	public := encode(a.t, map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	data := append(a.data(flagAttested), make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(append(data, a.id...), public...)
	object := encode(a.t, map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	return a.answer(map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal"}})
}

// assert answers a request to prove who somebody is.
func (a *authenticator) assert(c identity.Ceremony) []byte {
	a.t.Helper()
	a.count++
	client := a.client("webauthn.get", c.Options)
	hash := sha256.Sum256(client)
	data := a.data(0)
	signed := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.answer(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(a.user)})
}

func encode(t testing.TB, v any) []byte {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := mode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
