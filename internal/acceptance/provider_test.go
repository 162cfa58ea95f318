package acceptance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// signer is a provider's key in the hands of its client. It makes JWTs with nothing but the standard library.
type signer struct {
	id, issuer, audience, algorithm string
	private, public                 string // PEM
	key                             crypto.Signer
	now                             func() time.Time
}

func (w *world) provider(t testing.TB) *tenant {
	t.Helper()
	o := w.NewProvider(t, "Provider")
	return &tenant{world: w, id: o.ID, slug: o.Slug, owner: o.Owner.ID, ownerMail: o.Owner.Email, token: o.OwnerToken, org: o}
}

// customer is an organization that a provider manages.
func (o *tenant) customer(t testing.TB, body string) string {
	t.Helper()
	return must(t, "customer", o.ask(t, o.token, "POST /v1/provider/organizations", body), "201").at("id")
}

// newKey makes a key of the provider and takes its private half.
func (o *tenant) newKey(t testing.TB, algorithm string) *signer {
	t.Helper()
	a := must(t, "key", o.ask(t, o.token, "POST /v1/provider/keys", fmt.Sprintf(`{"name":"billing","algorithm":%q}`, algorithm)), "201")
	s := &signer{id: a.at("key_id"), issuer: a.at("issuer"), audience: a.at("audience"), algorithm: a.at("algorithm"), private: a.at("private_key"), public: a.at("public_key"), now: o.now}
	block, _ := pem.Decode([]byte(s.private))
	if block == nil {
		t.Fatalf("the private key is no PEM: %.30s", s.private)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	s.key = key.(crypto.Signer)
	return s
}

func (s *signer) header() map[string]any {
	return map[string]any{"alg": s.algorithm, "typ": "JWT", "kid": s.id}
}

func (s *signer) claims() map[string]any {
	now := s.now().Unix()
	return map[string]any{"iss": s.issuer, "aud": s.audience, "iat": now, "exp": now + 300, "jti": uuid.NewString()}
}

// jwt is a fresh one that is right; change may make it wrong.
func (s *signer) jwt(t testing.TB, change ...map[string]any) string {
	t.Helper()
	claims := s.claims()
	for _, c := range change {
		maps.Copy(claims, c)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return s.sign(t, s.header(), claims)
}

func (s *signer) sign(t testing.TB, header, claims any) string {
	t.Helper()
	text := segment(t, header) + "." + segment(t, claims)
	digest := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch key := s.key.(type) {
	case ed25519.PrivateKey:
		signature = ed25519.Sign(key, []byte(text))
	case *ecdsa.PrivateKey:
		r, v, e := ecdsa.Sign(rand.Reader, key, digest[:])
		if err = e; err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
		}
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(t testing.TB, value any) string {
	t.Helper()
	raw, ok := value.(string)
	if !ok {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(text)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(raw))
}

// M1, M3: keys are shown once, two live, revoked at once.
func providerKeys(t *testing.T, o *tenant) {
	p := o.provider(t)
	a := must(t, "create", p.ask(t, p.token, "POST /v1/provider/keys", `{"name":"billing"}`, "Idempotency-Key", "one"), "201")
	for member, want := range map[string]string{"algorithm": "EdDSA", "issuer": p.id, "audience": p.URL, "key_id": a.at("id"), "last_used": "null", "revoked_at": "null"} {
		expectAt(t, "a new key", a, member, want)
	}
	expect(t, "the same again", p.ask(t, p.token, "POST /v1/provider/keys", `{"name":"billing"}`, "Idempotency-Key", "one"), "409 already_created")
	rsaKey := p.newKey(t, "RS256")
	expect(t, "a third", p.ask(t, p.token, "POST /v1/provider/keys", `{"name":"x"}`), "409 in_use")
	list := must(t, "list", p.ask(t, p.token, "GET /v1/provider/keys", ""), "200")
	if list.count("data") != 2 || strings.Contains(list.text(), "PRIVATE") {
		t.Errorf("the list is %s", list.text())
	}
	expect(t, "used", p.ask(t, rsaKey.jwt(t), "GET /v1/provider/keys", ""), "200")
	if list = p.ask(t, p.token, "GET /v1/provider/keys", ""); list.at("data.1.last_used.ip") != "127.0.0.1" {
		t.Errorf("after a use: %s", list.text())
	}
	expect(t, "a key that another signs for", p.ask(t, p.token, "POST /v1/provider/keys", fmt.Sprintf(`{"name":"x","public_key":%q}`, rsaKey.public)), "409 name_taken")
	other := o.provider(t)
	expect(t, "another's key", p.ask(t, other.token, "DELETE /v1/provider/keys/"+rsaKey.id, ""), "404 not_found")
	a = p.ask(t, p.token, "DELETE /v1/provider/keys/"+rsaKey.id, "")
	if expect(t, "revoke", a, "204"); !strings.Contains(a.header.Get("Counterfoil-Receipt"), "complete") {
		t.Errorf("the receipt is %q", a.header.Get("Counterfoil-Receipt"))
	}
	expect(t, "again", p.ask(t, p.token, "DELETE /v1/provider/keys/"+rsaKey.id, ""), "204")
	a = p.ask(t, rsaKey.jwt(t), "GET /v1/provider/keys", "")
	expect(t, "revoked", a, "401 invalid_token")
	expectDetail(t, "revoked", a, "revoked")

	for _, test := range []struct{ name, body, want string }{
		{"a private key", fmt.Sprintf(`{"name":"x","public_key":%q}`, rsaKey.private), "422 validation_failed /public_key"},
		{"no PEM", `{"name":"x","public_key":"AAAA"}`, "422 validation_failed /public_key"},
		{"another algorithm", fmt.Sprintf(`{"name":"x","algorithm":"ES256","public_key":%q}`, edPublic(t)), "422 validation_failed /algorithm"},
		{"an unknown algorithm", `{"name":"x","algorithm":"HS256"}`, "422 validation_failed /algorithm"},
		{"a key of one's own", fmt.Sprintf(`{"name":"ours","public_key":%q}`, edPublic(t)), "201"},
	} {
		a := p.ask(t, p.token, "POST /v1/provider/keys", test.body)
		if expect(t, test.name, a, test.want); strings.Contains(a.text(), "PRIVATE") {
			t.Errorf("%s: the answer holds a private key: %s", test.name, a.text())
		}
	}
	expect(t, "no provider", o.ask(t, o.token, "POST /v1/provider/keys", `{"name":"x"}`), "403 missing_permission")
	expect(t, "a system token names none", p.ask(t, p.SystemToken, "GET /v1/provider/keys", ""), "422 validation_failed ?provider")
	expect(t, "a system token names one", p.ask(t, p.SystemToken, "GET /v1/provider/keys?provider="+p.slug, ""), "200")
	if log := p.ask(t, p.token, "GET events?type=provider", "").text(); !strings.Contains(log, "key_created") || !strings.Contains(log, "key_revoked") || strings.Contains(log, "PRIVATE") {
		t.Errorf("the log is %s", log)
	}
}

func edPublic(t *testing.T) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func expectDetail(t *testing.T, what string, a answer, part string) {
	t.Helper()
	if !strings.Contains(a.at("detail"), part) {
		t.Errorf("%s: the detail is %q, without %q", what, a.at("detail"), part)
	}
}

const invalidJWT = "401 invalid_token"

// M2: what a JWT must say, and every way in which one is refused.
func providerJWT(t *testing.T, o *tenant) {
	p := o.provider(t)
	const line = "GET /v1/provider/organizations"
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		s := p.newKey(t, algorithm)
		token := s.jwt(t)
		expect(t, algorithm, p.ask(t, token, line, ""), "200")
		again := p.ask(t, token, line, "")
		expect(t, algorithm+" twice", again, invalidJWT)
		expectDetail(t, algorithm+" twice", again, "jti")
		if challenge := again.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("the challenge is %q", challenge)
		}
		expect(t, algorithm+" in X-API-Key", p.ask(t, "", line, "", "X-API-Key", s.jwt(t)), "200")
		expect(t, "revoke", p.ask(t, p.token, "DELETE /v1/provider/keys/"+s.id, ""), "204")
	}
	s := p.newKey(t, "EdDSA")
	now := o.now().Unix()
	for _, test := range []struct {
		name   string
		claims map[string]any
		detail string // empty: it is accepted
	}{
		{"five minutes", map[string]any{"iat": now, "exp": now + 300}, ""},
		{"more than five minutes", map[string]any{"iat": now, "exp": now + 301}, "exp is 5m1s after iat"},
		{"a clock that is behind", map[string]any{"iat": now - 330, "exp": now - 30}, ""},
		{"a clock that is too far behind", map[string]any{"iat": now - 400, "exp": now - 100}, "exp was 1"},
		{"a clock that is ahead", map[string]any{"iat": now + 50, "exp": now + 350}, ""},
		{"a clock that is too far ahead", map[string]any{"iat": now + 3600, "exp": now + 3900}, "in the future: your clock is ahead"},
		{"exp before iat", map[string]any{"iat": now, "exp": now}, "exp is not after iat"},
		{"not before", map[string]any{"nbf": now + 600}, "nbf"},
		{"another issuer", map[string]any{"iss": o.id}, "iss is not " + p.id},
		{"another audience", map[string]any{"aud": "https://other.example"}, "aud is not " + p.URL},
		{"one audience in a list", map[string]any{"aud": []string{p.URL}}, ""},
		{"two audiences", map[string]any{"aud": []string{p.URL, "https://other.example"}}, "aud is not one text"},
		{"no audience", map[string]any{"aud": nil}, "aud is missing"},
		{"no issuer", map[string]any{"iss": nil}, "iss is missing"},
		{"no iat", map[string]any{"iat": nil}, "iat is missing"},
		{"no exp", map[string]any{"exp": nil}, "exp is missing"},
		{"no jti", map[string]any{"jti": nil}, "jti is missing"},
		{"an empty jti", map[string]any{"jti": ""}, "jti"},
		{"a long jti", map[string]any{"jti": strings.Repeat("x", 201)}, "jti"},
		{"a NUL in jti", map[string]any{"jti": "a\x00b"}, "jti"},
		{"a time that is text", map[string]any{"exp": "soon"}, "numbers of seconds"},
		{"a time beyond all", map[string]any{"exp": 1e300}, "exp is no time"},
		{"half a second too long", map[string]any{"iat": float64(now) - 0.5, "exp": now + 300}, "exp is 5m0s after iat"},
	} {
		a := p.ask(t, s.jwt(t, test.claims), line, "")
		if test.detail == "" {
			expect(t, test.name, a, "200")
			continue
		}
		expect(t, test.name, a, invalidJWT)
		expectDetail(t, test.name, a, test.detail)
	}

	plain := p.ask(t, "cfl_pat_garbage", line, "")
	es := p.newKey(t, "ES256")
	with := func(name string, value any) map[string]any {
		h := s.header()
		h[name] = value
		return h
	}
	good := s.jwt(t)
	parts := strings.Split(good, ".")
	hs := segment(t, with("alg", "HS256")) + "." + segment(t, s.claims())
	mac := hmac.New(sha256.New, []byte(s.public))
	mac.Write([]byte(hs))
	for name, token := range map[string]string{
		"alg none":                  segment(t, with("alg", "none")) + "." + segment(t, s.claims()) + ".",
		"alg nOnE":                  segment(t, with("alg", "nOnE")) + "." + segment(t, s.claims()) + "." + parts[2],
		"HMAC with the public key":  hs + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"another algorithm's name":  s.sign(t, with("alg", "ES256"), s.claims()),
		"another key's id":          s.sign(t, with("kid", es.id), s.claims()),
		"an unknown key":            s.sign(t, with("kid", "key_00000000000000000000000000000000"), s.claims()),
		"no key":                    s.sign(t, map[string]any{"alg": "EdDSA"}, s.claims()),
		"jku":                       s.sign(t, with("jku", "https://evil.example/keys"), s.claims()),
		"x5u":                       s.sign(t, with("x5u", "https://evil.example/cert"), s.claims()),
		"an embedded key":           s.sign(t, with("jwk", map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}), s.claims()),
		"a certificate":             s.sign(t, with("x5c", []string{"AAAA"}), s.claims()),
		"crit":                      s.sign(t, with("crit", []string{"exp"}), s.claims()),
		"an unencoded payload":      s.sign(t, with("b64", false), s.claims()),
		"another type":              s.sign(t, with("typ", "at+jwt"), s.claims()),
		"two algorithms":            s.sign(t, `{"alg":"EdDSA","alg":"EdDSA","kid":"`+s.id+`"}`, s.claims()),
		"another signature":         parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"other claims":              parts[0] + "." + segment(t, s.claims()) + "." + parts[2],
		"padding":                   good + "==",
		"dots alone":                "..",
		"an encrypted one":          good + ".x.x",
		"a long one":                s.jwt(t, map[string]any{"x": strings.Repeat("x", 5000)}),
		"an ES256 signature as DER": parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString([]byte{0x30, 6, 2, 1, 1, 2, 1, 1}),
	} {
		a := p.ask(t, token, line, "")
		expect(t, name, a, invalidJWT)
		if a.at("detail") != plain.at("detail") {
			t.Errorf("%s: a caller with no good signature is told %q", name, a.at("detail"))
		}
	}
	twice := p.ask(t, s.sign(t, s.header(), fmt.Sprintf(`{"iss":%q,"iss":%q,"aud":%q,"iat":%d,"exp":%d,"jti":"twice"}`, p.id, p.id, p.URL, now, now+60)), line, "")
	expect(t, "a claim twice", twice, invalidJWT)
	expect(t, "two credentials", p.ask(t, good, line, "", "X-API-Key", p.token), "400 multiple_credentials")
	expect(t, "unharmed by all that", p.ask(t, good, line, ""), "200")
	for _, line := range []string{"POST /activities/query", "GET /v1/tokens/current", "GET /v1/authorize"} {
		expect(t, line, p.ask(t, s.jwt(t), line, ""), invalidJWT)
	}
	expect(t, "the check", p.ask(t, s.jwt(t), "POST /v1/verify", `{"token":"x"}`), invalidJWT)
	expect(t, "suspend", p.ask(t, p.SystemToken, "PATCH /v1/organizations/"+p.id, `{"status":"suspended"}`), "200")
	expect(t, "a suspended provider", p.ask(t, s.jwt(t), line, ""), "403 organization_suspended")
}
