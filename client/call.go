package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Response is what an answer tells beside its body.
type Response struct {
	Status    int
	RequestID string
	ETag      string         // for [IfMatch]
	Receipt   *ReceiptHeader // of a change that may have narrowed what is accepted; else nil
}

// ReceiptHeader is the short form of a receipt; [Client.Receipt] has the whole of it.
type ReceiptHeader struct {
	ID       string
	Complete bool
	Took     time.Duration
}

// CallOption configures one call. A method that has no use for an option refuses it, so that nobody relies on what
// isn't there.
type CallOption func(*callOptions)

type callOptions struct {
	key     string
	match   *string
	lockOut bool
	strict  bool
	into    *Response
}

// IdempotencyKey makes the repetition of a creation harmless: the same key and request within 24 hours create once. A
// repeated creation of a token is refused with already_created, because its value is not kept; the error holds the token.
// A call with a key is tried again when the server is not there or unavailable. An empty key is none.
func IdempotencyKey(key string) CallOption { return func(o *callOptions) { o.key = key } }

// IfMatch makes an edit depend on the version that was read; etag is [Response].ETag. Another version is refused with
// version_mismatch. An empty one is refused at once.
func IfMatch(etag string) CallOption { return func(o *callOptions) { o.match = &etag } }

// AllowLockOut saves a rule even if it refuses the very token that saves it.
func AllowLockOut() CallOption { return func(o *callOptions) { o.lockOut = true } }

// Strict has an introspection or an authorization go by the database as it is now, whatever the node remembers. Of
// questions, [counterfoil.Question] says it itself.
func Strict() CallOption { return func(o *callOptions) { o.strict = true } }

// Into fills r with what the answer tells beside its body, also when it is a refusal.
func Into(r *Response) CallOption { return func(o *callOptions) { o.into = r } }

// request is one call before it is sent.
type request struct {
	doing  string // for errors: "creating a token"
	method string
	path   path
	query  url.Values
	body   any        // as JSON, or
	form   url.Values // as a form
	header http.Header

	once, match, lockOut, strict bool // the options that it takes
}

// path is the segments of a path, unescaped.
type path []string

func (p path) String() (string, error) {
	var b strings.Builder
	for _, s := range p {
		if s == "" || s == "." || s == ".." {
			return "", errors.New("an id or name in the request's path is empty")
		}
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String(), nil
}

// call sends q and decodes the answer. Every error says what was being done.
func call[A any](ctx context.Context, c *Client, q request, options []CallOption) (A, error) {
	var answer, nothing A
	r, body, err := c.exchange(ctx, &q, options)
	if _, silent := any(answer).(none); silent || err != nil {
		return nothing, err
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nothing, fmt.Errorf("%s: %w", q.doing, unexpected(r))
	}
	return answer, nil
}

// none is the answer of a call that has nothing to tell.
type none struct{}

// exchange sends q, again if it may, and returns a success with its body.
func (c *Client) exchange(ctx context.Context, q *request, options []CallOption) (r *http.Response, body []byte, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", q.doing, err)
		}
	}()
	if c.err != nil {
		return nil, nil, c.err
	}
	var o callOptions
	for _, option := range options {
		option(&o)
	}
	switch {
	case o.key != "" && !q.once:
		return nil, nil, errors.New("this call takes no idempotency key")
	case o.match != nil && !q.match:
		return nil, nil, errors.New("this call takes no If-Match")
	case o.match != nil && *o.match == "":
		return nil, nil, errors.New("the ETag for If-Match is empty")
	case o.lockOut && !q.lockOut:
		return nil, nil, errors.New("this call can lock nobody out")
	case o.strict && !q.strict:
		return nil, nil, errors.New("this call goes by the database anyway, or takes consistency in its question")
	case o.strict && q.form != nil:
		q.form.Set("consistency", "strict")
	case o.strict:
		q.query.Set("consistency", "strict")
	}
	target, content, err := c.encode(q, o.lockOut)
	if err != nil {
		return nil, nil, err
	}
	for try := 1; ; try++ {
		r, body, err := c.try(ctx, q, target, content, &o)
		wait, again := retryIn(err, try)
		if !again || q.method != http.MethodGet && o.key == "" {
			return r, body, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w; not tried again: %w", err, ctx.Err())
		case <-time.After(wait):
		}
	}
}

const (
	mostTries   = 3
	longestWait = 5 * time.Second
	firstWait   = 200 * time.Millisecond
)

// retryIn says whether a try failed in a way that passes, and how long to wait: what the server asked, if that is not too
// long, else twice as long as before, give or take a half.
func retryIn(err error, try int) (time.Duration, bool) {
	if err == nil || try >= mostTries {
		return 0, false
	}
	wait := firstWait << (try - 1)
	wait = wait/2 + rand.N(wait)
	var refused *Error
	if errors.As(err, &refused) {
		if refused.RetryAfter > 0 {
			wait = refused.RetryAfter
		}
		return wait, refused.Status == http.StatusServiceUnavailable && wait <= longestWait
	}
	return wait, errors.Is(err, syscall.ECONNREFUSED)
}

// encode makes URL and body of q. The body's type goes to q's header.
func (c *Client) encode(q *request, lockOut bool) (target string, content []byte, err error) {
	p, err := q.path.String()
	if err != nil {
		return "", nil, err
	}
	target = c.base + p
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	if q.header == nil {
		q.header = http.Header{}
	}
	switch {
	case q.form != nil:
		q.header.Set("Content-Type", "application/x-www-form-urlencoded")
		content = []byte(q.form.Encode())
	case q.body != nil:
		q.header.Set("Content-Type", "application/json")
		if content, err = json.Marshal(q.body); err != nil {
			return "", nil, fmt.Errorf("encoding the request: %w", err)
		}
		if lockOut {
			content = withLockOut(content)
		}
	}
	return target, content, nil
}

// withLockOut adds allow_lock_out to an object.
func withLockOut(object []byte) []byte {
	rest := bytes.TrimPrefix(object, []byte("{"))
	if len(rest) > 1 {
		rest = append([]byte(","), rest...)
	}
	return append([]byte(`{"allow_lock_out":true`), rest...)
}

// longestAnswer is the size in bytes of the largest answer that is read.
const longestAnswer = 32 << 20

// try sends q once. An answer that is no success is an *Error.
func (c *Client) try(ctx context.Context, q *request, target string, content []byte, o *callOptions) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, target, bytes.NewReader(content))
	if err != nil {
		return nil, nil, errors.New("the request can't be made: the server's base URL or the method is wrong")
	}
	req.Header = q.header.Clone()
	req.Header.Set("Accept", "application/json, application/problem+json")
	req.Header.Set("User-Agent", c.agent)
	c.authorize(req)
	if o.key != "" {
		req.Header.Set("Idempotency-Key", o.key)
	}
	if o.match != nil {
		req.Header.Set("If-Match", *o.match)
	}
	r, err := c.http.Do(req)
	if err != nil {
		return nil, nil, c.unreached(err)
	}
	defer r.Body.Close()
	if o.into != nil {
		*o.into = responseOf(r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, longestAnswer+1))
	switch {
	case r.StatusCode < 200 || r.StatusCode > 299:
		return r, nil, refusal(r, body)
	case len(body) > longestAnswer:
		return r, nil, fmt.Errorf("the answer is longer than %d MiB", longestAnswer>>20)
	case err != nil:
		return r, nil, c.unreached(err)
	}
	return r, body, nil
}

// unreached wraps a failure to get an answer. It drops what a [url.Error] says of the URL: a path can hold what a caller
// took for an id.
func (c *Client) unreached(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("no answer from %s: %w", c.base, err)
}

func responseOf(r *http.Response) Response {
	out := Response{Status: r.StatusCode, RequestID: r.Header.Get("X-Request-Id"), ETag: r.Header.Get("ETag")}
	if h := r.Header.Get("Counterfoil-Receipt"); h != "" {
		receipt := parseReceipt(h)
		out.Receipt = &receipt
	}
	return out
}

// parseReceipt reads "rcp_…; complete; took=12ms". What it does not know it passes over.
func parseReceipt(header string) (r ReceiptHeader) {
	id, rest, _ := strings.Cut(header, ";")
	r.ID = strings.TrimSpace(id)
	for part := range strings.SplitSeq(rest, ";") {
		part = strings.TrimSpace(part)
		if took, ok := strings.CutPrefix(part, "took="); ok {
			r.Took, _ = time.ParseDuration(took)
		}
		r.Complete = r.Complete || part == "complete"
	}
	return r
}

// params is a query without what is empty.
func params(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
