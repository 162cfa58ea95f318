package providerjwt_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/providerjwt"
)

var (
	private = ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	now     = time.Unix(1_790_000_000, 0)
	key     = providerjwt.Key{ID: "key_1", Algorithm: "EdDSA", Public: private.Public(), Issuer: "org_p", Audience: "https://api.example"}
)

func sign(header, claims string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(text)))
}

const header = `{"alg":"EdDSA","kid":"key_1"}`

func claims(iat, exp int64) string {
	return fmt.Sprintf(`{"iss":"org_p","aud":"https://api.example","iat":%d,"exp":%d,"jti":"x"}`, now.Unix()+iat, now.Unix()+exp)
}

// The edges of time, to the second.
func TestTimes(t *testing.T) {
	for _, test := range []struct {
		iat, exp int64
		refused  string
	}{
		{0, 300, ""}, {0, 301, "at most 300"}, {0, 1, ""}, {0, 0, "not after iat"},
		{60, 360, ""}, {61, 361, "61 seconds in the future"},
		{-359, -59, ""}, {-360, -60, "exp was 60 seconds ago"}, {-86400, -86100, "exp was 23h55m0s ago"},
	} {
		token, err := providerjwt.Parse(sign(header, claims(test.iat, test.exp)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := token.Check(key, now)
		var refused *providerjwt.Refused
		switch {
		case test.refused == "" && err != nil:
			t.Errorf("%+v: %v", test, err)
		case test.refused == "" && (got.JTI != "x" || got.Until.Before(now.Add(time.Duration(test.exp+providerjwt.Skew)*time.Second))):
			t.Errorf("%+v: accepted as %+v: its jti would be forgotten while it is good", test, got)
		case test.refused != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.refused)):
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// Nothing is said of the claims of a token whose signature is not good.
func TestUnsignedSaysNothingOfClaims(t *testing.T) {
	late := sign(header, claims(-9000, -8000))
	for name, presented := range map[string]string{
		"the signature of other claims": late[:strings.LastIndex(late, ".")+1] + strings.Split(sign(header, claims(0, 300)), ".")[2],
		"another key":                   sign(`{"alg":"EdDSA","kid":"key_2"}`, claims(-9000, -8000)),
	} {
		token, err := providerjwt.Parse(presented)
		if err == nil {
			_, err = token.Check(key, now)
		}
		if !errors.As(err, new(*providerjwt.Unsigned)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	revoked := key
	revoked.Revoked = true
	token, err := providerjwt.Parse(sign(header, claims(0, 300)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Check(revoked, now); !errors.As(err, new(*providerjwt.Refused)) {
		t.Errorf("a revoked key: %v", err)
	}
}

// FuzzParse: whatever is presented is an answer, and what is accepted has a signature of the key over the very bytes.
func FuzzParse(f *testing.F) {
	good := sign(header, claims(0, 300))
	for _, seed := range []string{good, "", "..", "a.b.c", good + "=", strings.Replace(good, ".", "..", 1), sign(`{"alg":"none","kid":"key_1"}`, "{}"), sign(header, "{}"), sign(header, `[]`), sign(header, `{"aud":[]}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, presented string) {
		token, err := providerjwt.Parse(presented)
		if err != nil {
			return
		}
		if _, err := token.Check(key, now); err != nil {
			return
		}
		parts := strings.Split(presented, ".")
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || !ed25519.Verify(private.Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), signature) {
			t.Fatalf("accepted without a signature: %q", presented)
		}
		var claims map[string]any
		raw, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || json.Unmarshal(raw, &claims) != nil || claims["iss"] != "org_p" {
			t.Fatalf("accepted with the claims %q", raw)
		}
	})
}
