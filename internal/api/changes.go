package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/verify"
	"github.com/counterfoil/counterfoil/internal/web"
)

// changeRoutes are for programs that judge tokens by themselves (docs/verifier.md).
func changeRoutes() []route {
	const one = "/v1/verifiers/{verifier}"
	op := registry.OpFollowChanges
	return []route{
		{method: get, path: "/v1/changes", op: op, tag: tagCheck, status: 200, media: "text/event-stream", summary: "Follow what changes verdicts",
			query: []param{{name: "after", doc: "The number of the log's entry behind which to begin; Last-Event-ID counts before it. Left out: the end."},
				{name: "hash", doc: "That entry's hash, as a message gave it (base64url): another log is cursor_expired then."}},
			doc: "Server-sent events, for programs that judge tokens by themselves. Each is a message of changes, whose id is its number; one comes at once, and at least one every few seconds. " +
				"An event problem says why the stream ends.", answer: reflect.TypeFor[counterfoil.Changes](), plain: func(a *API) http.HandlerFunc { return a.changes }},
		send(route{method: put, path: one, op: op, tag: tagCheck, summary: "Report how far a verifier is",
			doc: "The id is the verifier's own choice, a random one for each process: ver_ and 16 to 40 letters or digits. Whatever narrows what is accepted waits for it until its lease has run out, and its receipt lists it. Counterfoil-Applied-Hash is the hash of the entry in applied, as a message of changes gave it (base64url): another log is cursor_expired then. Without it a node that has seen the log become another grants no more time. Uses that are sent again with the same Idempotency-Key, at most 64 characters, are counted once by this node."}, (*call).reportVerifier),
		ask(route{method: del, path: one, op: op, tag: tagCheck, status: 204, summary: "Sign a verifier off"}, (*call).leaveVerifier),
		{method: post, path: one + "/facts", op: op, tag: tagCheck, status: 200, summary: "Read what a token is judged by",
			doc:  "As the database has it at one moment. No digest is told.",
			body: reflect.TypeFor[counterfoil.FactsQuestion](), answer: reflect.TypeFor[counterfoil.FactsAnswer](), plain: func(a *API) http.HandlerFunc { return a.facts }},
	}
}

var verifierID = regexp.MustCompile(`^ver_[0-9A-Za-z]{16,40}$`)

// verifier is the id of a path, for those who may follow at all.
func (c *call) verifier() (string, error) {
	if err := c.Registry.MayFollow(c.r.Context(), c.caller); err != nil {
		return "", err
	}
	id := c.r.PathValue("verifier")
	return id, verifierFault(id)
}

func verifierFault(id string) error {
	if verifierID.MatchString(id) {
		return nil
	}
	return counterfoil.Refuse(counterfoil.CodeInvalidRequest, "A verifier's id is ver_ and 16 to 40 letters or digits.")
}

// longestReportKey bounds what is kept of each verifier.
const longestReportKey = 64

func (c *call) reportVerifier(report counterfoil.VerifierReport) (counterfoil.VerifierLease, error) {
	id, err := c.verifier()
	if err != nil {
		return counterfoil.VerifierLease{}, err
	}
	key := c.r.Header.Get("Idempotency-Key")
	if len(key) > longestReportKey {
		return counterfoil.VerifierLease{}, counterfoil.Refuse(counterfoil.CodeInvalidRequest, fmt.Sprintf("The idempotency key of a report has at most %d characters.", longestReportKey))
	}
	if report.Hash, err = base64.RawURLEncoding.DecodeString(c.r.Header.Get("Counterfoil-Applied-Hash")); err != nil {
		return counterfoil.VerifierLease{}, counterfoil.Refuse(counterfoil.CodeInvalidRequest, "Give the hash of the applied entry as base64url without padding.")
	}
	lease, err := c.Registry.ReportVerifier(c.r.Context(), c.caller, id, report)
	if err == nil && len(report.Uses) > 0 {
		err = c.Registry.Verifiers.Once(id, key, func() error { return c.Verifier.NoteUses(c.r.Context(), report.Uses) })
	}
	return lease, err
}

func (c *call) leaveVerifier() (none, error) {
	id, err := c.verifier()
	if err == nil {
		err = c.Registry.LeaveVerifier(c.r.Context(), c.caller, id)
	}
	return none{}, err
}

// facts is a plain handler, as the check is: its body holds a token's value.
func (a *API) facts(w http.ResponseWriter, r *http.Request) {
	out, err := a.readFacts(w, r)
	if err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	body, err := json.Marshal(out)
	if err != nil {
		web.WriteProblem(w, r, fmt.Errorf("encoding the answer: %w", err))
		return
	}
	writeJSON(w, append(body, '\n'))
}

func (a *API) readFacts(w http.ResponseWriter, r *http.Request) (out counterfoil.FactsAnswer, err error) {
	var q counterfoil.FactsQuestion
	within, problems, err := a.question(w, r, &q)
	if err == nil && within != "" {
		err = counterfoil.Refuse(counterfoil.CodeMissingPermission, "Only a system token is told what tokens are judged by.")
	}
	if err == nil {
		err = counterfoil.Invalid(problems)
	}
	if err == nil {
		err = verifierFault(r.PathValue("verifier"))
	}
	if err != nil {
		return out, err
	}
	return a.Verifier.Facts(r.Context(), q.Token, q.Catalogue)
}

// changes streams the log to one that judges by itself.
func (a *API) changes(w http.ResponseWriter, r *http.Request) {
	c := &call{API: a, w: w, r: r, route: a.route(get, "/v1/changes")}
	w.Header().Set("Cache-Control", "no-store")
	if err := c.beginChanges(); err != nil {
		c.problem(err)
	}
}

const (
	changesTogether = 500             // entries a message
	changesBeat     = 2 * time.Second // without a change, until the next message
)

// after reads where the stream begins; false: at the end.
func (c *call) after() (number int64, given bool) {
	text, at := c.r.Header.Get("Last-Event-ID"), "Last-Event-ID"
	if text == "" {
		text, at = c.query["after"], "?after"
	}
	if text == "" {
		return 0, false
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 {
		c.fault(at, "give the number of an entry")
	}
	return number, true
}

func (c *call) beginChanges() error {
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.Registry.MayFollow(c.r.Context(), c.caller); err != nil {
		return err
	}
	c.readQuery()
	number, given := c.after()
	hash, err := base64.RawURLEncoding.DecodeString(c.query["hash"])
	if err != nil {
		c.fault("?hash", "give the hash as base64url without padding")
	}
	if err := counterfoil.Invalid(c.faults); err != nil {
		return err
	}
	if !c.fed.enter() {
		return web.RetryIn(counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many streams are open. Try again later."), changesBeat)
	}
	defer c.fed.leave()
	if given {
		err = c.Registry.SameLog(c.r.Context(), c.caller, number, hash)
	} else {
		number, hash, err = c.Registry.LogEnd(c.r.Context(), c.caller)
	}
	if err != nil {
		return err
	}
	added, page, err := c.nextPage(number, hash)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "text/event-stream")
	c.w.Header().Set("X-Accel-Buffering", "no") // nginx would hold it back
	for {
		if !c.send(page.frame) {
			return nil
		}
		if _, on := c.pause(page.more, added, changesBeat-feedFresh); !on { // what is read then may be older by as much
			return nil
		}
		if added, page, err = c.nextPage(page.Number, page.Hash); err != nil {
			c.sendLast(err)
			return nil
		}
	}
}

// nextPage reads what is behind a place, and then judges the token of the stream once more: as a check does, by what is in memory;
// by the database where the page says something of this very token, which memory may not have heard yet.
func (c *call) nextPage(number int64, hash []byte) (added <-chan struct{}, page feedPage, err error) {
	added = c.Registry.Store.WatchAll()
	if page, err = c.feed.page(c.r.Context(), added, number, hash); err != nil {
		return added, page, err
	}
	token, err := web.Credential(c.r)
	if err != nil {
		return added, page, err
	}
	q := verify.Request{Token: token, Attempt: c.caller.Attempt, Again: true, Strict: page.tells(c.caller.TokenID)}
	q.Permissions = []string{c.route.op.Permission}
	v, err := c.Verifier.Verify(c.r.Context(), &q)
	if err == nil && !v.Active() {
		err = gateway.Refusal(&v)
	}
	return added, page, err
}

// changesOf is the message for entries behind a number. What is said twice is said once.
func changesOf(after int64, hash []byte, events []counterfoil.Event) counterfoil.Changes {
	m := counterfoil.Changes{Number: after, Hash: hash, Changes: []counterfoil.Change{}}
	seen := map[counterfoil.Change]bool{}
	for i := range events {
		m.Number, m.Hash = events[i].Number, events[i].Hash
		if change := verify.ChangeOf(&events[i]); !seen[change] {
			seen[change] = true
			m.Changes = append(m.Changes, change)
		}
	}
	return m
}

func changesFrame(m counterfoil.Changes) []byte {
	raw, _ := json.Marshal(m) // numbers and ids
	return append(append([]byte("id: "+strconv.FormatInt(m.Number, 10)+"\ndata: "), raw...), "\n\n"...)
}
