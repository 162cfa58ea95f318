package client

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

// CodeUnexpectedAnswer says that what answered does not speak this API: a proxy, or another server.
const CodeUnexpectedAnswer counterfoil.Code = "unexpected_answer"

// Error is an answer that refuses. It unwraps to Err, so that errors.As and errors.Is find the [*counterfoil.Error] in it.
type Error struct {
	Status    int
	RequestID string // what to look for in the server's log
	// RetryAfter is what the server asked to wait, with 429 and 503; zero when it asked nothing.
	RetryAfter time.Duration
	Err        *counterfoil.Error // never nil
}

func (e *Error) Error() string {
	if e.RequestID == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + " (request " + e.RequestID + ")"
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// problem is the body of a refusal (RFC 9457).
type problem struct {
	Code      counterfoil.Code      `json:"code"`
	Detail    string                `json:"detail"`
	RequestID string                `json:"request_id"`
	Errors    []counterfoil.Problem `json:"errors"`
	Token     *counterfoil.Token    `json:"token"`
}

// refusal makes an Error of an answer that is not a success.
func refusal(r *http.Response, body []byte) *Error {
	e := &Error{Status: r.StatusCode, RequestID: r.Header.Get("X-Request-Id"), RetryAfter: retryAfter(r.Header.Get("Retry-After"), time.Now())}
	var p problem
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/problem+json" && json.Unmarshal(body, &p) == nil && p.Code != "" {
		e.Err = &counterfoil.Error{Code: p.Code, Detail: p.Detail, Problems: p.Errors, Token: p.Token}
		if p.RequestID != "" {
			e.RequestID = p.RequestID
		}
		return e
	}
	code := CodeUnexpectedAnswer
	switch r.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		code = counterfoil.CodeUnavailable
	case http.StatusTooManyRequests:
		code = counterfoil.CodeRateLimited
	}
	e.Err = counterfoil.Refuse(code, fmt.Sprintf("the answer is %d %s and not one of Counterfoil's; is the URL right, and no proxy in the way?", r.StatusCode, http.StatusText(r.StatusCode)))
	return e
}

// unexpected makes an Error of a success that can't be read.
func unexpected(r *http.Response) *Error {
	return &Error{Status: r.StatusCode, RequestID: r.Header.Get("X-Request-Id"),
		Err: counterfoil.Refuse(CodeUnexpectedAnswer, "the answer can't be read; is the URL right, and no proxy in the way?")}
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3); 0 for neither.
func retryAfter(header string, now time.Time) time.Duration {
	const most = 1 << 30
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), most)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
