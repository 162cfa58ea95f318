package web_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// request has headers written as "Name: value" lines.
func request(lines ...string) *http.Request {
	r := httptest.NewRequest("GET", "/v1/tokens/current?access_token=query&token=query", nil)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func basic(text string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

func TestCredential(t *testing.T) {
	const missing, multiple = "missing_credentials", "multiple_credentials"
	tests := []struct {
		lines []string
		token string
		code  counterfoil.Code
	}{
		{[]string{"Authorization: Bearer abc"}, "abc", ""},
		{[]string{"Authorization: bEARER \t abc "}, "abc", ""},
		{[]string{"Authorization: abc"}, "abc", ""},
		{[]string{"Authorization: Bearerabc"}, "Bearerabc", ""},
		{[]string{"Authorization: Bearer not a token"}, "not a token", ""},
		{[]string{"X-API-Key: abc"}, "abc", ""},
		{[]string{"x-api-key:  abc "}, "abc", ""},
		{[]string{"Authorization: Bearer abc", "X-API-Key: abc", "Authorization: abc"}, "abc", ""},
		{[]string{"Authorization: Bearer", "X-API-Key: abc"}, "abc", ""},
		{[]string{"Authorization: Bearer abc", "X-API-Key: abd"}, "", multiple},
		{[]string{"Authorization: Bearer abc", "Authorization: Bearer abd"}, "", multiple},
		{[]string{"Authorization: Bearer abc", "Authorization: Bearer abd", "Authorization: Bearer abc"}, "", multiple},
		{[]string{"X-API-Key: abc", "X-API-Key: ABC"}, "", multiple},
		{nil, "", missing},
		{[]string{"Authorization: "}, "", missing},
		{[]string{"Authorization: Bearer"}, "", missing},
		{[]string{"Authorization: Bearer  "}, "", missing},
		{[]string{"X-API-Key:  "}, "", missing},
		{[]string{basic("tok_1:abc")}, "", missing},
		{[]string{"Authorization: Digest username=abc"}, "", missing},
		{[]string{basic("tok_1:abc"), "X-API-Key: abc"}, "abc", ""},
		{[]string{"Proxy-Authorization: Bearer abc", "Cookie: token=abc"}, "", missing},
	}
	for _, tt := range tests {
		token, err := web.Credential(request(tt.lines...))
		if token != tt.token || (err != nil) != (tt.code != "") || err != nil && !errors.Is(err, &counterfoil.Error{Code: tt.code}) {
			t.Errorf("%q: %q, %v; want %q, %s", tt.lines, token, err, tt.token, tt.code)
		}
	}
}

func TestBasicOrBearer(t *testing.T) {
	tests := []struct {
		lines       []string
		user, token string
		code        counterfoil.Code
	}{
		{[]string{basic("tok_1:abc")}, "tok_1", "abc", ""},
		{[]string{strings.Replace(basic("tok_1:a:c"), "Basic", "bASIC ", 1)}, "tok_1", "a:c", ""},
		{[]string{"Authorization: Bearer abc"}, "", "abc", ""},
		{[]string{"X-API-Key: abc"}, "", "abc", ""},
		{[]string{basic("tok_1:abc"), "X-API-Key: abc"}, "tok_1", "abc", ""},
		{[]string{basic("tok_1:abc"), "X-API-Key: abd"}, "", "", "multiple_credentials"},
		{[]string{basic(":abc"), basic("tok_1:abc")}, "", "", "multiple_credentials"},
		{[]string{basic("tok_1:")}, "", "", "missing_credentials"},
		{[]string{basic("tok_1")}, "", "", "invalid_token"},
		{[]string{"Authorization: Basic %%%"}, "", "", "invalid_token"},
		{[]string{"Authorization: Basic"}, "", "", "invalid_token"},
		{nil, "", "", "missing_credentials"},
	}
	for _, tt := range tests {
		user, token, err := web.BasicOrBearer(request(tt.lines...))
		if user != tt.user || token != tt.token || (err != nil) != (tt.code != "") || err != nil && !errors.Is(err, &counterfoil.Error{Code: tt.code}) {
			t.Errorf("%q: %q %q, %v; want %q %q, %s", tt.lines, user, token, err, tt.user, tt.token, tt.code)
		}
	}
}

// Whatever the headers say: an answer is one of the presented texts and stands in each header that presents any; a
// refusal is one of two codes and never repeats what was presented.
func FuzzCredential(f *testing.F) {
	for _, seed := range [][3]string{{"Bearer abc", "", ""}, {"abc", "abc", "Bearer abc"}, {"Basic dG9rXzE6YWJj", "x", ""}, {"bearer", "", " "}, {"a b", "a", "Bearer b"}, {"Bearer a\tb", "Bearer", "BEARER  "}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, first, second, key string) {
		r := &http.Request{Header: http.Header{"Authorization": {first, second}, "X-Api-Key": {key}}}
		token, err := web.Credential(r)
		if err != nil {
			var e *counterfoil.Error
			if token != "" || !errors.As(err, &e) || e.Code != "missing_credentials" && e.Code != "multiple_credentials" {
				t.Fatalf("%q, %v", token, err)
			}
			return
		}
		if token == "" || strings.Trim(token, " \t") != token {
			t.Fatalf("token %q", token)
		}
		held := 0
		for _, value := range []string{first, second, key} {
			if strings.HasSuffix(strings.Trim(value, " \t"), token) {
				held++
			}
		}
		if held == 0 {
			t.Fatalf("%q was never presented", token)
		}
		if bare := strings.Trim(key, " \t"); bare != "" && bare != token {
			t.Fatalf("took %q beside the key %q", token, bare)
		}
		r.Header["Authorization"] = []string{second, first}
		if again, err := web.Credential(r); again != token || err != nil {
			t.Fatalf("the order of headers matters: %q, then %q, %v", token, again, err)
		}
	})
}
