package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/gateway"
	"github.com/counterfoil/counterfoil/internal/web"
)

// setUpHuma sets what the library keeps in package variables, once for all servers of the process.
var setUpHuma = sync.OnceFunc(func() {
	huma.ValidateStrictCasing = true // a member's name is exact
	huma.DefaultArrayNullable = false
})

// describe makes the OpenAPI 3.1 document of the route table, and the schemas that bodies are checked against.
func (a *API) describe() error {
	setUpHuma()
	a.schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	doc := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "Counterfoil", Version: a.Version, License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			Description: "API tokens: issue, limit, check, revoke. Times are RFC 3339 in UTC; lists are paged with limit and cursor; errors are RFC 9457."},
		Components: &huma.Components{Schemas: a.schemas, SecuritySchemes: map[string]*huma.SecurityScheme{
			"bearer": {Type: "http", Scheme: "bearer", Description: "A token, as `Authorization: Bearer …`, bare, or as `X-API-Key`; on the routes of organizations and providers also a provider's signed JWT."},
			"basic":  {Type: "http", Scheme: "basic", Description: "The token's id and the token (OAuth routes)."},
		}},
	}
	for _, tag := range []string{tagTokens, tagSystem, tagCheck, tagRules, tagPeople, tagProvider, tagActivity, tagWebhooks, tagCatalogue, tagDocumentation} {
		doc.Tags = append(doc.Tags, &huma.Tag{Name: tag})
	}
	problem := a.schemas.Schema(reflect.TypeFor[web.ProblemDetails](), true, "Problem")
	for i := range a.routes {
		if a.routes[i].hidden {
			continue
		}
		if err := a.describeRoute(doc, &a.routes[i], problem); err != nil {
			return err
		}
	}
	a.allowNull()
	a.openAPI = sync.OnceValues(func() ([]byte, error) { return json.Marshal(doc) })
	return nil
}

// allowNull says of every member that is a pointer to an object that it may be null, which the generator leaves out.
func (a *API) allowNull() {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] || t == reflect.TypeFor[time.Time]() {
			return
		}
		seen[t] = true
		for _, f := range reflect.VisibleFields(t) {
			if !f.IsExported() {
				continue
			}
			walk(f.Type)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			s := a.schemas.SchemaFromRef("#/components/schemas/" + schemaName(t, ""))
			if f.Type.Kind() != reflect.Pointer || s == nil || s.Properties[name] == nil || s.Properties[name].Ref == "" {
				continue
			}
			ref := *s.Properties[name]
			s.Properties[name] = &huma.Schema{Description: ref.Description, AnyOf: []*huma.Schema{{Ref: ref.Ref}, {Type: "null"}}}
		}
	}
	for _, r := range a.routes {
		if r.answer != nil {
			walk(r.answer)
		}
	}
	walk(reflect.TypeFor[web.ProblemDetails]())
}

// schemaName names generic types by what they hold: Page[Token] is TokenPage.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if rest, ok := strings.CutPrefix(name, "Page"); ok && rest != "" {
		return rest + "Page"
	}
	if t.Kind() == reflect.Struct && t.PkgPath() != "" && name != "" {
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return name
}

var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

func (a *API) describeRoute(doc *huma.OpenAPI, r *route, problem *huma.Schema) error {
	method := r.method
	if method == anyMethod {
		method = http.MethodGet
	}
	op := &huma.Operation{Method: method, Path: r.path, Tags: []string{r.tag}, Summary: r.summary, Description: r.describe(), Responses: map[string]*huma.Response{}}
	op.OperationID = operationID(r)
	for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		p := &huma.Param{Name: m[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}
		switch m[1] {
		case "org":
			p.Description = "An organization's id or slug, or current for the credential's own."
		case "kind":
			p.Schema.Enum = []any{"personal", "organization", "integration"}
		}
		op.Parameters = append(op.Parameters, p)
	}
	for _, q := range r.query {
		op.Parameters = append(op.Parameters, &huma.Param{Name: q.name, In: "query", Description: q.doc, Schema: q.describe()})
	}
	if r.once {
		op.Parameters = append(op.Parameters, headerParam("Idempotency-Key", "The same key and request within 24 hours creates once."))
	}
	if r.match {
		op.Parameters = append(op.Parameters, headerParam("If-Match", "The ETag that was read; 412 when it is old."))
	}
	switch {
	case r.body != nil:
		r.schema = a.schemas.Schema(r.body, true, "")
		op.RequestBody = &huma.RequestBody{Required: !r.bodyOptional, Content: map[string]*huma.MediaType{"application/json": {Schema: r.schema}}}
	case r.form != nil:
		s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}, Required: []string{"token"}}
		for _, p := range r.form {
			s.Properties[p.name] = &huma.Schema{Type: huma.TypeString, Description: p.doc, Examples: []any{""}}
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-www-form-urlencoded": {Schema: s}}}
	}
	status := r.status
	if status == 0 {
		status = http.StatusOK
	}
	answer := &huma.Response{Description: http.StatusText(status)}
	if r.answer != nil && r.answer != reflect.TypeFor[none]() {
		answer.Content = map[string]*huma.MediaType{"application/json": {Schema: a.schemas.Schema(r.answer, true, "")}}
	}
	if r.media != "" {
		answer.Content = map[string]*huma.MediaType{r.media: {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	answer.Headers = map[string]*huma.Param{"X-Request-Id": {Description: "Names the request in the server's log.", Schema: &huma.Schema{Type: huma.TypeString}}}
	if r.op != nil && r.op.Narrows {
		answer.Headers["Counterfoil-Receipt"] = &huma.Param{Description: "rcp_…; complete; took=12ms", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if r.match {
		answer.Headers["ETag"] = &huma.Param{Description: "The version, for If-Match.", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if r.op != nil && r.plain == nil {
		answer.Headers[gateway.ExpiresSoon] = &huma.Param{Description: "When the presented token expires, if that is within 14 days.", Schema: &huma.Schema{Type: huma.TypeString}}
	}
	for _, name := range r.headers {
		answer.Headers[name] = &huma.Param{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	op.Responses[fmt.Sprint(status)] = answer
	if r.op != nil || r.path == "/v1/authorize" {
		op.Security = []map[string][]string{{"bearer": {}}}
		if r.form != nil {
			op.Security = append(op.Security, map[string][]string{"basic": {}})
		}
		op.Responses["default"] = &huma.Response{Description: "A problem (RFC 9457).", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	doc.AddOperation(op)
	return nil
}

func (r *route) describe() string {
	if r.op == nil {
		return r.doc
	}
	parts := []string{}
	if r.doc != "" {
		parts = append(parts, r.doc)
	}
	switch {
	case len(r.op.Kinds) == 1 && r.op.Kinds[0] == counterfoil.KindIntegration:
		return strings.Join(append(parts, "For integration tokens made for Splunk only."), " ")
	case r.op.Own:
		parts = append(parts, "Your own personal tokens need no permission; anything else needs `"+r.op.Permission+"`.")
	case r.op.Permission != "":
		parts = append(parts, "Needs `"+r.op.Permission+"`.")
	}
	if len(r.op.Kinds) == 1 {
		parts = append(parts, "For system tokens only.")
	} else if slices.Contains(r.op.Kinds, counterfoil.KindIntegration) && r.op.Permission == "" {
		parts = append(parts, "Open to every kind of token.")
	}
	return strings.Join(parts, " ")
}

// operationID is the summary in kebab case, without what stands in parentheses.
func operationID(r *route) string {
	id, _, _ := strings.Cut(strings.ToLower(r.summary), " (")
	return strings.NewReplacer(", ", "-", " ", "-", "'", "").Replace(id)
}

func (p param) describe() *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	if p.max > 0 {
		lo, hi := float64(p.min), float64(p.max)
		s = &huma.Schema{Type: huma.TypeInteger, Minimum: &lo, Maximum: &hi}
	}
	for _, e := range p.enum {
		s.Enum = append(s.Enum, e)
	}
	return s
}

func headerParam(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "header", Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

func (a *API) serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	text, err := a.openAPI()
	if err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
