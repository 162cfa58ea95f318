package web

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil/internal/tracing"
)

// Options of Wrap. A nil Logger is slog.Default(). Proxies serve the access log only. Tracer may be nil. Mask returns text
// without what may be the secret of a token, whole or in part, for paths in the log and what problems say; nil: none has one. URL
// is where clients reach this service, without a slash at the end, for the type of problems; empty: that is relative.
type Options struct {
	Logger  *slog.Logger
	Proxies Proxies
	Tracer  *tracing.Tracer
	Mask    func(string) string
	URL     string
}

// Wrap is the outermost handler. Every answer gets a fresh X-Request-Id (an inbound one is not believed) and the headers
// that keep a browser from guessing; a panic becomes a logged 500, or breaks the connection where the answer has begun;
// http.ErrAbortHandler passes. Requests are logged at level Debug, without query, headers or what looks like a secret.
func Wrap(h http.Handler, o Options) http.Handler {
	all := &wrapping{log: o.Logger, mask: o.Mask, url: o.URL}
	if all.log == nil {
		all.log = slog.Default()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := &response{ResponseWriter: w, wrapping: all}
		res.id[0] = NewRequestID()
		res.baseline(w.Header())
		debugging := all.log.Enabled(r.Context(), slog.LevelDebug)
		var began time.Time
		if debugging {
			began = time.Now()
		}
		var span tracing.Span
		if o.Tracer != nil {
			r, span = o.Tracer.Request(r)
		}
		defer func() {
			fault := recover()
			if fault != nil && fault != http.ErrAbortHandler {
				fault = res.rescue(r, fault)
			}
			if debugging {
				res.access(r, o.Proxies.ClientIP(r).String(), time.Since(began))
			}
			span.Answered(r, res.status, res.id[0])
			if fault != nil {
				panic(fault)
			}
		}()
		h.ServeHTTP(res, r)
	})
}

// response is the writer that handlers get. It lives as long as its request; the header borrows id.
type response struct {
	http.ResponseWriter
	*wrapping
	id     [1]string
	status int // 0 until the answer has begun
	bytes  int64
}

// wrapping is what all requests to one Wrap share.
type wrapping struct {
	log      *slog.Logger
	mask     func(string) string
	url      string
	failures Failures
}

// Header values that every answer shares. They are at capacity, so that an Add copies them.
var (
	nosniff    = []string{"nosniff"}
	noReferrer = []string{"no-referrer"}
)

func (res *response) baseline(h http.Header) {
	h["X-Request-Id"] = res.id[:1:1]
	h["X-Content-Type-Options"] = nosniff[:1:1]
	h["Referrer-Policy"] = noReferrer[:1:1]
}

// rescue answers for a handler that panicked, and returns what to panic with, if anything.
func (res *response) rescue(r *http.Request, fault any) any {
	res.log.LogAttrs(r.Context(), slog.LevelError, "handler panicked", slog.String("request_id", res.id[0]),
		slog.String("method", loggableMethod(r)), slog.String("path", res.loggablePath(r)),
		slog.String("panic", fmt.Sprint(fault)), slog.String("stack", string(debug.Stack())))
	if res.status != 0 {
		return http.ErrAbortHandler // half an answer must not look whole
	}
	clear(res.Header())
	res.baseline(res.Header())
	writeDetails(res, NewProblem(failed()))
	return nil
}

func (res *response) access(r *http.Request, ip string, took time.Duration) {
	res.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("request_id", res.id[0]),
		slog.String("method", loggableMethod(r)), slog.String("path", res.loggablePath(r)), slog.String("ip", ip),
		slog.Int("status", res.status), slog.Int64("bytes", res.bytes), slog.Duration("took", took))
}

func (res *response) WriteHeader(status int) {
	if res.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		res.status = status
	}
	res.ResponseWriter.WriteHeader(status)
}

func (res *response) Write(b []byte) (int, error) {
	if res.status == 0 {
		res.status = http.StatusOK
	}
	n, err := res.ResponseWriter.Write(b)
	res.bytes += int64(n)
	return n, err
}

// Flush is for those who ask for an http.Flusher; http.ResponseController finds its way through Unwrap.
func (res *response) Flush() {
	if res.status == 0 {
		res.status = http.StatusOK
	}
	_ = http.NewResponseController(res.ResponseWriter).Flush() // a writer that cannot flush has nothing to say
}

func (res *response) Unwrap() http.ResponseWriter { return res.ResponseWriter }

// RequestID is the id of the request that w answers, "" outside Wrap.
func RequestID(w http.ResponseWriter) string { return w.Header().Get("X-Request-Id") }

// Logger is the logger given to Wrap, with the request's id. Outside Wrap it is slog.Default().
func Logger(w http.ResponseWriter) *slog.Logger {
	if res := responseOf(w); res != nil {
		return res.log.With(slog.String("request_id", res.id[0]))
	}
	return slog.Default()
}

// responseOf is the response of Wrap that w is or goes to, nil outside Wrap.
func responseOf(w http.ResponseWriter) *response {
	for {
		if res, ok := w.(*response); ok {
			return res
		}
		inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = inner.Unwrap()
	}
}

// NewRequestID is 16 characters of 80 random bits: it names a request, it guards nothing.
func NewRequestID() string {
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	var id [16]byte
	for half := range 2 {
		bits := rand.Uint64()
		for i := range 8 {
			id[half*8+i] = alphabet[bits>>(5*i)&31]
		}
	}
	return string(id[:])
}

// loggableMethod is the method of r where HTTP knows it: any other is text that a caller wrote, and may be a token.
func loggableMethod(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "…"
}

// loggablePath is the path of r without what may be a token, cut or broken as well: it is masked, and a segment longer than
// any id of ours is left out. res may be nil.
func (res *response) loggablePath(r *http.Request) string {
	const longestID = 44
	path := r.URL.Path
	if res != nil && res.mask != nil {
		path = res.mask(path)
	}
	if len(path) <= longestID {
		return path
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		if len(segment) > longestID {
			segments[i] = "…"
		}
	}
	return strings.Join(segments, "/")
}
