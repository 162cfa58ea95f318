package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/hectest"
)

// send sends a request and keeps its answer.
func (a *aviary) send(method, target string, header http.Header, body string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.address, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.URL.Opaque = "//" + a.address + target
	r.Header = header
	answer, err := oneShot.Do(r)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, target, err)
	}
	a.note(answer)
}

func (a *aviary) note(r *http.Response) {
	defer r.Body.Close()
	stream := r.Header.Get("Content-Type") == "text/event-stream" // it does not end by itself: what it sends at first is read
	if stream {
		defer time.AfterFunc(200*time.Millisecond, func() { r.Body.Close() }).Stop()
	}
	text, err := io.ReadAll(r.Body)
	if err != nil && !stream {
		a.t.Error(err)
	}
	var revealed struct{ Secret string }
	if json.Unmarshal(text, &revealed) == nil && revealed.Secret != "" {
		a.plant("a created or rotated token", revealed.Secret)
		text = []byte(strings.Replace(string(text), revealed.Secret, "", 1))
	}
	fmt.Fprintf(&a.answers, "%s %s %v\n%s\n", r.Request.Method, r.Status, r.Header, text)
}

func with(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// headers puts tokens into the headers of requests that are otherwise good, and into paths that are refused.
func (a *aviary) headers() {
	made := a.create(a.t, counterfoil.Draft{Name: "fodder", Permissions: []string{"devices:read"}})
	a.plant("a created token", made.Secret)
	tokens := "/v1/organizations/" + a.Organization.ID + "/tokens"
	for _, q := range [][3]string{
		{"POST", tokens, `{"kind":"organization","name":"good","permissions":["devices:read"]}`},
		{"POST", tokens + "/" + made.Token.ID + "/rotate", `{"grace_seconds":60}`},
		{"PATCH", tokens + "/" + made.Token.ID, `{"paused":true}`},
		{"DELETE", tokens + "/" + made.Token.ID, `{"reason":"lost"}`},
		{"GET", tokens, ""},
	} {
		for _, name := range []string{"User-Agent", "Idempotency-Key", "X-Request-Id", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "Traceparent", "Origin"} {
			c := a.canary("the header " + name + " of a good " + q[0])
			a.send(q[0], q[1], with("Authorization", "Bearer "+a.SystemToken, "Content-Type", "application/json", name, c), q[2])
		}
	}
	rotated, err := a.system().RotateToken(a.t.Context(), client.System, "tok_"+a.canary("a rotated token")[8:20], time.Minute)
	if err != nil {
		a.t.Fatal(err)
	}
	a.plant("a rotation", rotated.Secret)
}

// routes sends every route of the API tokens in its path, query, headers and body, with every kind of credential.
func (a *aviary) routes(strange string) {
	text, err := a.system().OpenAPI(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &document); err != nil || len(document.Paths) < 20 {
		a.t.Fatal(err, len(document.Paths))
	}
	for _, pattern := range slices.Sorted(maps.Keys(document.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(document.Paths[pattern])) {
			a.route(strings.ToUpper(method), pattern, strange)
		}
	}
	for _, path := range []string{"/", "/docs", "/nowhere", "/v1/nowhere/", "/healthz"} {
		a.route("GET", path+"{id}", strange)
		a.route("BREW", path, strange)
	}
}

func (a *aviary) route(method, pattern, strange string) {
	c := a.canary("a token on " + method + " " + pattern)
	path := pattern
	for _, parameter := range []string{"{org}", "{id}", "{kind}"} {
		path = strings.ReplaceAll(path, parameter, c)
	}
	real := strings.NewReplacer("{org}", a.Organization.ID, "{id}", c, "{kind}", "personal").Replace(pattern)
	const text = "application/json"
	system := "Bearer " + a.SystemToken
	wrong := c[:len(c)-1] + "~"
	for _, h := range []http.Header{
		with(), with("Authorization", "Bearer "+c), with("Authorization", c), with("X-API-Key", c), with("Authorization", "Bearer "+wrong), with("Authorization", wrong),
		with("Authorization", "Bearer "+strange), with("Authorization", "Bearer "+c, "X-API-Key", strange), with("Authorization", "Token "+c), with("Authorization", "Bearer "+c+" "+c),
		with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("tok_"+c[8:20]+":"+c))), with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c))),
		with("Authorization", "Basic "+c), with("Cookie", "token="+c),
	} {
		h.Set("Content-Type", text)
		a.send(method, path+"?access_token="+c, h, `{"token":"`+c+`"}`)
	}
	if strings.HasSuffix(pattern, "/current") && method == "DELETE" || strings.HasSuffix(pattern, "{org}") && method == "DELETE" {
		real = path // the instance is still needed
		system = "Bearer " + c
	}
	query := "?" + url.Values{"limit": {c}, "cursor": {c}, "q": {c}, "sort": {c}, "status": {c}, "permission": {c}, c: {c}}.Encode()
	bodies := []string{"", `{"name":"` + c, `{"` + c + `":1}`, `{"` + c + `":1,"` + c + `":2}`, `"` + c + `"`, c,
		strings.ReplaceAll(`{"name":["☃"],"kind":"☃","permissions":["☃"],"email":"☃","roles":["☃"],"rules":"☃","token":"☃","expires_at":"☃",
			"owner":"☃","ip_filter":"☃","status":"☃","ip":"☃","reason":["☃"]}`, "☃", c)}
	for _, body := range bodies {
		a.send(method, real, with("Authorization", system, "Content-Type", text), body)
		a.send(method, real+query, with("Authorization", system, "Content-Type", text), body)
		a.send(method, path, with("Authorization", system, "Content-Type", c), body)
	}
	a.send(method, real, with("Authorization", system, "Content-Type", text, "User-Agent", c, "Referer", "http://x/"+c, "X-Request-Id", c, "If-Match", `"`+c+`"`,
		"Idempotency-Key", c, "X-Forwarded-For", c, "Accept", c, "Origin", c, "X-Forwarded-Host", c), `{"name":1}`)
}

// checks asks about tokens in every way.
func (a *aviary) checks(strange string) {
	for _, asked := range []string{a.canary("a token in question"), strange, strange[:40], "", "cfl_" + strange, strings.ToUpper(strange)} {
		body, _ := json.Marshal(map[string]any{"token": asked, "endpoint": "GET /api/" + asked, "permissions": []string{asked}})
		system := with("Authorization", "Bearer "+a.SystemToken, "Content-Type", "application/json")
		a.send("POST", "/v1/verify", system, string(body))
		a.send("POST", "/v1/verify/batch", system, `{"questions":[`+string(body)+`]}`)
		form := with("Authorization", "Bearer "+a.SystemToken, "Content-Type", "application/x-www-form-urlencoded")
		a.send("POST", "/oauth2/introspect", form, "token="+url.QueryEscape(asked)+"&ip="+url.QueryEscape(asked))
		a.send("POST", "/oauth2/introspect", form, "token="+url.QueryEscape(asked)+"&token_type_hint="+url.QueryEscape(asked))
		for _, target := range []string{"/api/devices/" + asked, "/api/devices?token=" + asked, "/" + asked + "/devices"} {
			a.send("GET", "/v1/authorize", with("Authorization", "Bearer "+asked, "X-Original-Method", "GET", "X-Original-URI", target), "")
			a.send("GET", "/v1/authorize", with("Authorization", "Bearer "+a.OwnerToken, "X-Original-Method", "PUT", "X-Original-URI", target), "")
			a.send("GET", "/v1/authorize?permission="+url.QueryEscape(asked), with("Authorization", "Bearer "+a.OwnerToken), "")
		}
		a.send("POST", "/oauth2/revoke", form, "token="+url.QueryEscape(asked))
	}
}

// collector has the log pushed to a collector, whose token is a secret as well, and to one that refuses it.
func (a *aviary) collector() {
	a.t.Helper()
	const secret, refused = "collector-0b54c9d2e7f1", "collector-refused-77aa01"
	a.needles = append(a.needles, needle{"a collector's token", []byte(secret)}, needle{"a collector's token that is refused", []byte(refused)})
	c := hectest.New(a.t, hectest.Settings{Token: secret})
	target, headers := "/v1/organizations/"+a.Organization.ID+"/exports/splunk", with("Authorization", "Bearer "+a.SystemToken, "Content-Type", "application/json")
	for _, token := range []string{refused, secret} {
		a.send(http.MethodPut, target, headers, fmt.Sprintf(`{"url":%q,"token":%q,"backfill":true}`, c.URL, token))
		a.send(http.MethodPost, target+"/test", headers, "")
	}
	if len(c.Events()) == 0 {
		a.t.Error("the collector took nothing")
	}
	a.send(http.MethodGet, target, headers, "")
}

// webhook has events sent to a receiver. The secret that signs them, and what is private of the address, are nowhere else.
func (a *aviary) webhook() {
	a.t.Helper()
	taken := make(chan struct{}, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { taken <- struct{}{} }))
	a.t.Cleanup(receiver.Close)
	made, err := a.system().CreateWebhook(a.t.Context(), a.Organization.ID, counterfoil.WebhookDraft{Name: "canary", URL: receiver.URL})
	if err != nil {
		a.t.Fatal(err)
	}
	hidden := strings.TrimPrefix(made.Secret, "whsec_")
	raw, err := base64.StdEncoding.DecodeString(hidden)
	if err != nil {
		a.t.Fatal(err)
	}
	a.needles = append(a.needles, needle{"a webhook's secret", []byte(hidden)}, needle{"a webhook's secret, decoded", raw})
	target, headers := "/v1/organizations/"+a.Organization.ID+"/webhooks", with("Authorization", "Bearer "+a.SystemToken)
	a.send(http.MethodPost, target+"/"+made.Webhook.ID+"/test", headers, "")
	for range 2 { // the test, and the event that the webhook was made
		select {
		case <-taken:
		case <-time.After(15 * time.Second):
			a.t.Fatal("the receiver got nothing")
		}
	}
	for _, part := range []string{"", "/" + made.Webhook.ID, "/" + made.Webhook.ID + "/deliveries"} {
		a.send(http.MethodGet, target+part, headers, "")
	}
}
