package web

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// MaxBody is the size of an ordinary body in bytes.
const MaxBody = 64 << 10

// RequireJSON refuses a body that does not say that it is application/json in UTF-8 (unsupported_media_type). A content
// coding is refused too: bodies are read as they come (RFC 9110 section 15.5.16).
func RequireJSON(r *http.Request) error {
	if codings := r.Header["Content-Encoding"]; len(codings) > 0 && !(len(codings) == 1 && strings.EqualFold(codings[0], "identity")) {
		return counterfoil.Refuse(counterfoil.CodeUnsupportedMediaType, "A compressed body is not read; send it plain.")
	}
	types := r.Header["Content-Type"]
	if len(types) == 1 {
		if types[0] == "application/json" {
			return nil
		}
		name, params, err := mime.ParseMediaType(types[0])
		charset, given := params["charset"]
		if err == nil && name == "application/json" && (!given || strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return counterfoil.Refuse(counterfoil.CodeUnsupportedMediaType, "The body must be sent with Content-Type: application/json, in UTF-8.")
}

// ReadBody reads the body of r to its end. One of more than limit bytes is body_too_large, told before it is read where
// its length is announced; one that breaks off is invalid_request. The connection is closed behind a body too large.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, bodyTooLarge(limit)
	}
	var (
		body []byte
		err  error
	)
	if 0 <= r.ContentLength && r.ContentLength <= 4096 { // a longer body has to come before it is given room
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, body) // net/http ends it at its length
	} else {
		body, err = io.ReadAll(http.MaxBytesReader(innermost(w), r.Body, limit))
	}
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, bodyTooLarge(limit)
		}
		return nil, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "The body could not be read to its end.")
	}
	return body, nil
}

// innermost is net/http's own writer, which MaxBytesReader tells to close the connection: it looks behind no wrapper.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = inner.Unwrap()
	}
}

func bodyTooLarge(limit int64) *counterfoil.Error {
	return counterfoil.Refuse(counterfoil.CodeBodyTooLarge, fmt.Sprintf("The body may have at most %d bytes.", limit))
}
