package client

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

// FollowChanges calls see with each message of the stream of changes behind an entry of the log, until ctx ends, see returns an
// error, or the stream breaks: it always returns an error. After a negative number the stream begins at the log's end. An answer
// with the code cursor_expired means that the log does not have that entry, or, where its hash is given, another one, or that entries
// behind it were removed. A stream that says nothing for quiet is broken.
func (c *Client) FollowChanges(ctx context.Context, after int64, hash []byte, quiet time.Duration, see func(counterfoil.Changes) error) error {
	const doing = "following changes"
	if c.err != nil {
		return fmt.Errorf("%s: %w", doing, c.err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(quiet, func() { cancel(fmt.Errorf("%s: nothing came for %v", doing, quiet)) })
	defer silence.Stop()
	target := c.base + "/v1/changes"
	if after >= 0 {
		target += "?after=" + strconv.FormatInt(after, 10)
		if len(hash) > 0 {
			target += "&hash=" + base64.RawURLEncoding.EncodeToString(hash)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return fmt.Errorf("%s: the server's base URL is wrong", doing)
	}
	r.Header.Set("Accept", "text/event-stream, application/problem+json")
	r.Header.Set("User-Agent", c.agent)
	c.authorize(r)
	endless := *c.http
	endless.Timeout = 0
	answer, err := endless.Do(r)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, cmp.Or(context.Cause(ctx), c.unreached(err)))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, longestAnswer))
		return fmt.Errorf("%s: %w", doing, refusal(answer, body))
	}
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return fmt.Errorf("%s: %w", doing, unexpected(answer))
	}
	err = readFrames(answer.Body, func(event string, data []byte) error {
		silence.Reset(quiet)
		if event == "problem" {
			return problemIn(string(data))
		}
		var m counterfoil.Changes
		if err := json.Unmarshal(data, &m); err != nil {
			return unexpected(answer)
		}
		return see(m)
	})
	return fmt.Errorf("%s: %w", doing, cmp.Or(context.Cause(ctx), err))
}

var errStreamEnded = errors.New("the stream has ended")

// longestFrame is the size in bytes of the largest line of a stream that is read.
const longestFrame = 1 << 20

// readFrames reads server-sent events as far as this API uses them: one data line each.
func readFrames(body io.Reader, see func(event string, data []byte) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4096), longestFrame)
	event, data := "", []byte(nil)
	for lines.Scan() {
		line := lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				if err := see(event, data); err != nil {
					return err
				}
			}
			event, data = "", nil
		case name == "event":
			event = value
		case name == "data":
			data = []byte(value)
		}
	}
	return cmp.Or(lines.Err(), errStreamEnded)
}

// ReportVerifier says how far a verifier has applied the log, and asks for more time to trust what it remembers: counted from
// before the call, once it has applied everything up to the answer's number.
func (c *Client) ReportVerifier(ctx context.Context, verifier string, report counterfoil.VerifierReport, options ...CallOption) (counterfoil.VerifierLease, error) {
	return c.reportVerifier(ctx, verifier, "", report, options...)
}

// reportVerifier sends the report once. Its uses are counted once by a node, however often they come with one key; "" is none.
func (c *Client) reportVerifier(ctx context.Context, verifier, key string, report counterfoil.VerifierReport, options ...CallOption) (counterfoil.VerifierLease, error) {
	header := http.Header{}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	if len(report.Hash) > 0 {
		header.Set("Counterfoil-Applied-Hash", base64.RawURLEncoding.EncodeToString(report.Hash))
	}
	return call[counterfoil.VerifierLease](ctx, c, request{doing: "reporting how far a verifier is", method: http.MethodPut, path: path{"v1", "verifiers", verifier}, header: header, body: report}, options)
}

// LeaveVerifier says that a verifier trusts nothing any more: nobody waits for it.
func (c *Client) LeaveVerifier(ctx context.Context, verifier string, options ...CallOption) error {
	_, err := call[none](ctx, c, request{doing: "signing a verifier off", method: http.MethodDelete, path: path{"v1", "verifiers", verifier}}, options)
	return err
}

// Facts reads what a token is judged by, as the database has it now.
func (c *Client) Facts(ctx context.Context, verifier string, q counterfoil.FactsQuestion, options ...CallOption) (counterfoil.FactsAnswer, error) {
	return call[counterfoil.FactsAnswer](ctx, c, request{doing: "reading what a token is judged by", method: http.MethodPost, path: path{"v1", "verifiers", verifier, "facts"}, body: q}, options)
}
