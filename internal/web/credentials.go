package web

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Credential is the one token that r presents: Authorization: Bearer <token> (RFC 6750 section 2.1, the scheme in any
// case), a bare Authorization: <token>, or X-API-Key: <token>. The same value in several places is one credential; two
// different ones are multiple_credentials, none or an empty one is missing_credentials. Whatever text was presented is
// given back as it is; whether it can be a token is not asked here. Other schemes and the query string (RFC 6750 section
// 2.3) carry no credential.
func Credential(r *http.Request) (string, error) {
	var c credential
	for _, value := range r.Header["Authorization"] {
		c.authorization(value)
	}
	return c.result(r)
}

// BasicOrBearer is Credential for clients that also authenticate by HTTP Basic (RFC 6749 section 2.3.1): user is what
// stands before the colon, "" for the other ways, and the password is the token. That user is the token's own id is for
// the caller to check. Basic that does not decode is invalid_token.
func BasicOrBearer(r *http.Request) (user, token string, err error) {
	var (
		c     credential
		named bool
	)
	for _, value := range r.Header["Authorization"] {
		encoded, basic := withScheme(value, "Basic")
		if !basic {
			c.authorization(value)
			continue
		}
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		name, password, colon := strings.Cut(string(decoded), ":")
		if err != nil || !colon {
			return "", "", counterfoil.Refuse(counterfoil.CodeInvalidToken, "The Basic credential cannot be read.")
		}
		c.multiple = c.multiple || named && user != name
		user, named = name, true
		c.present(password)
	}
	if token, err = c.result(r); err != nil {
		return "", "", err
	}
	return user, token, nil
}

// credential gathers what a request presents.
type credential struct {
	token    string
	multiple bool
}

func (c *credential) present(token string) {
	if token != "" && c.token != "" && token != c.token {
		c.multiple = true
	}
	if token != "" {
		c.token = token
	}
}

func (c *credential) authorization(value string) {
	if token, ok := withScheme(value, "Bearer"); ok {
		c.present(token)
	} else if bare := strings.Trim(value, " \t"); !strings.ContainsAny(bare, " \t") {
		c.present(bare)
	}
}

func (c *credential) result(r *http.Request) (string, error) {
	for _, value := range r.Header["X-Api-Key"] {
		c.present(strings.Trim(value, " \t"))
	}
	switch {
	case c.multiple:
		return "", counterfoil.Refuse(counterfoil.CodeMultipleCredentials, "The request carries two different credentials; send one.")
	case c.token == "":
		return "", counterfoil.Refuse(counterfoil.CodeMissingCredentials, "Send a token as Authorization: Bearer <token> or X-API-Key: <token>.")
	}
	return c.token, nil
}

// withScheme is what follows scheme in an Authorization value, trimmed; a scheme alone is followed by nothing.
func withScheme(value, scheme string) (string, bool) {
	value = strings.Trim(value, " \t")
	n := len(scheme)
	if len(value) < n || !strings.EqualFold(value[:n], scheme) {
		return "", false
	}
	if len(value) == n {
		return "", true
	}
	return strings.Trim(value[n:], " \t"), value[n] == ' ' || value[n] == '\t'
}
