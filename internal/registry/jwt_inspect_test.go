package registry

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestInspectJWT: each member of a JWT is explained, and what is wrong stands at the member that is wrong.
func TestInspectJWT(t *testing.T) {
	h := newHouse(t)
	made, err := h.CreateProviderKey(t.Context(), Operator(), h.provider.ID, counterfoil.ProviderKeyDraft{Name: "billing"})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(made.PrivateKey))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	_, stranger, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := h.now.Unix()
	type claims = map[string]any
	for _, c := range []struct {
		name           string
		header, claims claims // in place of good ones; nil in them: left out
		key            ed25519.PrivateKey
		unsigned       string // part of it; empty: it is signed well
		faults         map[string]string
	}{
		{name: "good"},
		{name: "clock ahead", claims: claims{"iat": now + 3600, "exp": now + 3660}, faults: map[string]string{"iat": "1h0m0s in the future"}},
		{name: "clock behind", claims: claims{"iat": now - 900, "exp": now - 840}, faults: map[string]string{"exp": "14m0s ago"}},
		{name: "for another", claims: claims{"iss": "org_other", "aud": "https://other.example"}, faults: map[string]string{"iss": "is not " + h.provider.ID, "aud": "is not https://x.example"}},
		{name: "missing", claims: claims{"jti": nil, "exp": nil}, faults: map[string]string{"jti": "is missing", "exp": "is missing"}},
		{name: "too long", claims: claims{"exp": now + 301}, faults: map[string]string{"exp": "at most 300 seconds"}},
		{name: "forged, and late", key: stranger, claims: claims{"iat": now - 900, "exp": now - 840}, unsigned: "was not made with the private half", faults: map[string]string{"exp": "14m0s ago"}},
		{name: "another key", header: claims{"kid": "key_other"}, unsigned: "names no key", faults: map[string]string{"kid": "No key of yours"}},
		{name: "another algorithm", header: claims{"alg": "RS256"}, unsigned: "EdDSA alone", faults: map[string]string{"alg": "signs with EdDSA alone"}},
		{name: "none", header: claims{"alg": "none"}, unsigned: "alg is none of", faults: map[string]string{"alg": "EdDSA, ES256 or RS256"}},
		{name: "none of it", header: claims{"alg": "none", "kid": nil}, claims: claims{"exp": nil, "jti": nil}, unsigned: "alg is none of", faults: map[string]string{"alg": "EdDSA, ES256 or RS256", "kid": "is missing", "exp": "is missing", "jti": "is missing"}},
		{name: "with a key in it", header: claims{"jwk": claims{"kty": "OKP"}}, unsigned: `the member "jwk"`, faults: map[string]string{"jwk": "could name or carry a key"}},
		{name: "with more", claims: claims{"scope": []string{"all"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			key := parsed.(ed25519.PrivateKey)
			if c.key != nil {
				key = c.key
			}
			text := encoded(t, claims{"alg": "EdDSA", "kid": made.KeyID}, c.header) + "." +
				encoded(t, claims{"iss": h.provider.ID, "aud": "https://x.example", "iat": now, "exp": now + 60, "jti": c.name}, c.claims)
			got, err := h.InspectJWT(t.Context(), Operator(), h.provider.ID, text+"."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(text))))
			if err != nil {
				t.Fatal(err)
			}
			if (got.Unsigned == "") != (c.unsigned == "") || !strings.Contains(got.Unsigned, c.unsigned) {
				t.Errorf("of the signature it says %q", got.Unsigned)
			}
			if got.Accepted() != (c.unsigned == "" && c.faults == nil) {
				t.Errorf("accepted: %v", got.Accepted())
			}
			if len(got.Rest) > 0 {
				t.Errorf("of no member: %q", got.Rest)
			}
			faults := map[string]string{}
			for _, m := range append(got.HeaderMembers, got.ClaimMembers...) {
				if m.Meaning == "" && m.Fault == "" {
					t.Errorf("%s is not explained", m.Name)
				}
				if m.Fault != "" {
					faults[m.Name] = m.Fault
				}
			}
			for name, part := range c.faults {
				if !strings.Contains(faults[name], part) {
					t.Errorf("of %s it says %q, want %q", name, faults[name], part)
				}
				delete(faults, name)
			}
			if len(faults) > 0 {
				t.Errorf("it finds wrong as well: %q", faults)
			}
		})
	}
}

// encoded is an object with what another one has in its place.
func encoded(t *testing.T, object, over map[string]any) string {
	t.Helper()
	maps.Copy(object, over)
	maps.DeleteFunc(object, func(_ string, value any) bool { return value == nil })
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// TestThePageNamesEveryMember: docs/provider.md has a line for each member of a JWT that is read.
func TestThePageNamesEveryMember(t *testing.T) {
	page, err := os.ReadFile("../../docs/provider.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for i, word := range strings.Split(cells[1], "`") {
				named[word] = named[word] || i%2 == 1
			}
		}
	}
	for _, m := range slices.Concat(headerMeanings, claimMeanings) {
		if !named[m.name] {
			t.Errorf("the page has no line for %s", m.name)
		}
	}
}
