package web_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

func TestRequireJSON(t *testing.T) {
	tests := map[string]bool{
		"Content-Type: application/json":                               true,
		"Content-Type: Application/JSON; charset=UTF-8":                true,
		`Content-Type: application/json;charset="utf-8"`:               true,
		"Content-Type: application/json; charset=latin1":               false,
		"Content-Type: application/json; charset":                      false,
		"Content-Type: application/x-www-form-urlencoded":              false,
		"Content-Type: text/plain":                                     false,
		"Content-Type: application/problem+json":                       false,
		"Content-Type: ":                                               false,
		"":                                                             false,
		"Content-Type: application/json|Content-Type: text/plain":      false,
		"Content-Type: application/json|Content-Encoding: gzip":        false,
		"Content-Type: application/json|Content-Encoding: identity":    true,
		"Content-Type: application/json, application/json":             false,
		"Content-Type: application/json|Accept: application/x-unusual": true,
	}
	for lines, ok := range tests {
		err := web.RequireJSON(request(strings.Split(lines, "|")...))
		if (err == nil) != ok || err != nil && !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeUnsupportedMediaType}) {
			t.Errorf("%q: %v, want accepted %v", lines, err, ok)
		}
	}
}

func TestReadBodyOverTheWire(t *testing.T) {
	const limit = 10_000
	srv := httptest.NewServer(web.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := web.ReadBody(w, r, limit)
		if err != nil {
			web.WriteProblem(w, r, err)
			return
		}
		_, _ = w.Write(body)
	}), web.Options{}))
	defer srv.Close()
	for _, size := range []int{0, 1, 4096, 4097, limit, limit + 1, 10 * limit} {
		for _, chunked := range []bool{false, true} {
			sent := bytes.Repeat([]byte{'x'}, size)
			var src io.Reader = bytes.NewReader(sent)
			if chunked {
				src = struct{ io.Reader }{src}
			}
			res, err := http.Post(srv.URL, "application/json", src)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(res.Body)
			_ = res.Body.Close()
			switch {
			case err != nil:
				t.Errorf("%d bytes: %v", size, err)
			case size <= limit && (res.StatusCode != 200 || !bytes.Equal(got, sent)):
				t.Errorf("%d bytes, chunked %v: %d with %d bytes", size, chunked, res.StatusCode, len(got))
			case size > limit && (res.StatusCode != 413 || !strings.Contains(string(got), `"body_too_large"`) || !res.Close):
				t.Errorf("%d bytes, chunked %v: %d %s, connection closed %v", size, chunked, res.StatusCode, got, res.Close)
			}
		}
	}
}

func TestReadBodyThatBreaksOff(t *testing.T) {
	for _, announced := range []int64{-1, 5, 5000} {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader("{"), failing{}))
		r.ContentLength = announced
		if body, err := web.ReadBody(httptest.NewRecorder(), r, 9000); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeInvalidRequest}) {
			t.Errorf("announced %d: %q, %v", announced, body, err)
		}
	}
}

func TestReadBodyRefusesAnAnnouncedLengthUnread(t *testing.T) {
	r := httptest.NewRequest("POST", "/", failing{})
	r.ContentLength = 9001
	if _, err := web.ReadBody(httptest.NewRecorder(), r, 9000); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeBodyTooLarge}) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
