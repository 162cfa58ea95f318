// Command provider prints the usage of every managed organization in the month that runs, as CSV. It signs its request with
// nothing but the standard library, to show how; it refuses to be a client for anything else.
//
// COUNTERFOIL_URL, COUNTERFOIL_ISSUER, COUNTERFOIL_AUDIENCE and COUNTERFOIL_KEY_ID are what the key was shown with;
// COUNTERFOIL_KEY_FILE is its private half, an Ed25519 key as PEM.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	token, err := jwt()
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodGet, os.Getenv("COUNTERFOIL_URL")+"/v1/provider/usage/monthly?format=csv", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		detail, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
		return fmt.Errorf("%s: %s", answer.Status, detail)
	}
	_, err = io.Copy(out, answer.Body)
	return err
}

// jwt makes a fresh one: each is accepted once.
func jwt() (string, error) {
	text, err := os.ReadFile(os.Getenv("COUNTERFOIL_KEY_FILE"))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", errors.New("the key file holds no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return "", err
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return "", errors.New("this example signs with an Ed25519 key")
	}
	now := time.Now().Unix()
	header := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": os.Getenv("COUNTERFOIL_KEY_ID")}
	claims := map[string]any{"iss": os.Getenv("COUNTERFOIL_ISSUER"), "aud": os.Getenv("COUNTERFOIL_AUDIENCE"), "iat": now, "exp": now + 120, "jti": rand.Text()}
	signed := segment(header) + "." + segment(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed))), nil
}

func segment(value any) string {
	raw, _ := json.Marshal(value) // texts and numbers
	return base64.RawURLEncoding.EncodeToString(raw)
}
