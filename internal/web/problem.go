package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
)

// ErrUnavailable marks a failure that passes: what an answer needs cannot be reached now. It becomes 503 unavailable, so
// that a caller who wraps it says "nobody knows", never "no".
var ErrUnavailable = errors.New("unavailable")

// ProblemDetails is the body of every refusal (RFC 9457). Code is the stable key; Type is a reference to the page that
// explains it.
type ProblemDetails struct {
	Type      string                `json:"type" example:"/docs/errors#not_found" doc:"The page that explains the code: a whole URL where the instance knows its public one, else relative to this API."`
	Title     string                `json:"title"`
	Status    int                   `json:"status"`
	Code      counterfoil.Code      `json:"code"`
	Detail    string                `json:"detail"`
	RequestID string                `json:"request_id"`
	Errors    []counterfoil.Problem `json:"errors,omitempty" doc:"Every fault of the request, when there are several or when one has a place."`
	Token     *counterfoil.Token    `json:"token,omitempty" doc:"With already_created: the token that the first request made."`

	retryAfter time.Duration
}

// Error makes a problem usable where an error is wanted.
func (p *ProblemDetails) Error() string { return string(p.Code) + ": " + p.Detail }

type retryError struct {
	error
	after time.Duration
}

func (e *retryError) Unwrap() error { return e.error }

// RetryIn says when to try again, for the Retry-After of a 429 or 503; without it that is one second.
func RetryIn(err error, after time.Duration) error { return &retryError{err, after} }

// NewProblem describes err to a client, without the request id. A *counterfoil.Error speaks for itself; of anything else
// only the code (internal, unavailable, body_too_large) gets out, with a fixed detail.
func NewProblem(err error) *ProblemDetails {
	var (
		refusal  *counterfoil.Error
		tooLarge *http.MaxBytesError
		retry    *retryError
	)
	switch {
	case errors.As(err, &refusal) && refusal != nil:
		if _, known := lookup(refusal.Code); !known {
			refusal = failed()
		}
	case errors.Is(err, ErrUnavailable):
		refusal = counterfoil.Refuse(counterfoil.CodeUnavailable, "The service cannot answer right now. Try again.")
	case errors.As(err, &tooLarge):
		refusal = bodyTooLarge(tooLarge.Limit)
	default:
		refusal = failed()
	}
	r, _ := lookup(refusal.Code)
	p := &ProblemDetails{
		Type: "/docs/errors#" + string(r.code), Title: r.title, Status: r.status, Code: r.code,
		Detail: refusal.Detail, Errors: refusal.Problems, Token: refusal.Token, retryAfter: time.Second,
	}
	if p.Detail == "" {
		p.Detail = r.title + "."
	}
	if errors.As(err, &retry) {
		p.retryAfter = retry.after
	}
	return p
}

func failed() *counterfoil.Error {
	return counterfoil.Refuse(counterfoil.CodeInternal, "The server failed. Its log has more under this request id.")
}

// SetHeaders sets what goes with the body: its type, no-store, the challenge of a 401 or 403 (RFC 6750 section 3) and
// Retry-After. It takes back what described another body.
func (p *ProblemDetails) SetHeaders(h http.Header) {
	for _, name := range [...]string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified"} {
		delete(h, name)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if challenge := p.challenge(); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
		seconds := (p.retryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(max(seconds, 1)), 10))
	}
}

// challenge follows RFC 6750 section 3.1: no error where no credential was presented, invalid_token for every presented
// one that is no good, insufficient_scope for a good one that may not do this.
func (p *ProblemDetails) challenge() string {
	const bearer = `Bearer realm="counterfoil"`
	switch {
	case p.Code == counterfoil.CodeMissingCredentials:
		return bearer
	case p.Status == http.StatusUnauthorized:
		return bearer + `, error="invalid_token", error_description="` + p.Title + `"`
	case p.Code == counterfoil.CodeMissingPermission:
		return bearer + `, error="insufficient_scope", error_description="` + p.Title + `"`
	}
	return ""
}

// Describe is NewProblem for the request that w answers. What the client is not told (the text of an unknown error) goes to
// the request's log instead.
func Describe(w http.ResponseWriter, r *http.Request, err error) *ProblemDetails {
	p := NewProblem(err)
	if p.Status >= http.StatusInternalServerError {
		logFailure(w, r, err)
	}
	return p
}

// WriteProblem answers r with err as a problem, as Describe has it.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	writeDetails(w, Describe(w, r, err))
}

// WriteProblemAs is WriteProblem under another status, for callers that understand a few only. The code stays.
func WriteProblemAs(w http.ResponseWriter, r *http.Request, err error, status int) {
	p := Describe(w, r, err)
	p.Status = status
	writeDetails(w, p)
}

func writeDetails(w http.ResponseWriter, p *ProblemDetails) {
	p.RequestID = RequestID(w)
	res := responseOf(w)
	if res != nil {
		p.Type = res.url + p.Type
	}
	if res != nil && res.mask != nil {
		p.Detail = res.mask(p.Detail)
		p.Errors = slices.Clone(p.Errors) // those of the error may be anybody's
		for i := range p.Errors {
			p.Errors[i].Pointer, p.Errors[i].Detail = res.mask(p.Errors[i].Pointer), res.mask(p.Errors[i].Detail)
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // a Token with a time past the year 9999
		p.Token = nil
		body, _ = json.Marshal(p)
	}
	p.SetHeaders(w.Header())
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // the client may have gone; there is nobody left to tell
}

func logFailure(w http.ResponseWriter, r *http.Request, err error) {
	level := slog.LevelError
	switch {
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		level = slog.LevelDebug // the client left; nothing failed
	case errors.Is(err, ErrUnavailable):
		level = slog.LevelWarn
	}
	res, failures := responseOf(w), new(Failures)
	if res != nil {
		failures = &res.failures
	}
	failures.Log(Logger(w), level, "request failed", err, slog.String("method", loggableMethod(r)), slog.String("path", res.loggablePath(r)))
}
