package acceptance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

// callers is every kind of credential, in the order of the golden file.
var callers = func() []string {
	all := []string{"none", "garbage", "owner", "bare-owner", "admin", "member", "suspended", "org"}
	for _, p := range ownPermissions() {
		all = append(all, "org+"+strings.TrimPrefix(p, counterfoil.Reserved))
	}
	return append(all, "org+all", "custom", "splunk", "sentinel", "provider-key", "provider-admin", "technician", "system", "gateway", "expired", "revoked", "paused")
}()

// ownPermissions are the service's own that an organization token may hold.
func ownPermissions() (names []string) {
	for _, p := range counterfoil.OwnPermissions() {
		if len(p.Kinds) > 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// allPermissions are the service's own, for a system token.
func allPermissions() (names []string) {
	for _, p := range counterfoil.OwnPermissions() {
		names = append(names, p.Name)
	}
	return names
}

// stage is two organizations, the callers of the first, and objects of both. What was used up is made anew.
type stage struct {
	world       *world
	own, other  *tenant
	providers   bool    // both are; else the first is managed by one
	manager     *tenant // the first, or the provider that manages it
	signer      *signer // of manager
	credentials map[string]string
	objects     map[string]made // by what and whose
	n           int
}

func newStage(w *world, providers bool) *stage { return &stage{world: w, providers: providers} }

// set makes sure that there is something to stand on.
func (s *stage) set(t *testing.T) {
	t.Helper()
	if s.own != nil {
		return
	}
	s.credentials, s.objects = map[string]string{}, map[string]made{}
	if s.providers {
		s.own, s.other = s.world.provider(t), s.world.provider(t)
		s.manager, s.signer = s.own, s.own.newKey(t, "EdDSA")
		return
	}
	s.own, s.other = s.world.tenant(t), s.world.tenant(t)
	s.manager = s.world.provider(t)
	s.signer = s.manager.newKey(t, "EdDSA")
	must(t, "manage", s.world.ask(t, s.world.SystemToken, "PATCH /v1/organizations/"+s.own.id, fmt.Sprintf(`{"managed_by":%q}`, s.manager.id)), "200")
}

// credential makes a caller of the first organization.
func (s *stage) credential(t *testing.T, caller string) string {
	t.Helper()
	if caller == "provider-key" {
		return s.signer.jwt(t)
	}
	if secret, known := s.credentials[caller]; known {
		return secret
	}
	secret := ""
	switch caller {
	case "provider-admin":
		secret = s.manager.person(t, "admin").token
	case "technician":
		if s.providers {
			secret = s.manager.technician(t).token
		} else {
			secret = s.manager.technician(t, s.own.id).token
		}
	default:
		secret = s.newCredential(t, s.own, caller)
	}
	s.credentials[caller] = secret
	return secret
}

func (s *stage) newCredential(t *testing.T, o *tenant, caller string) string {
	t.Helper()
	switch caller {
	case "none":
		return ""
	case "garbage":
		return "cfl_pat_garbage"
	case "owner":
		return o.token
	case "bare-owner":
		return o.personal(t, o.owner).secret
	case "admin", "member":
		return o.person(t, caller).token
	case "suspended":
		m := o.person(t, "admin")
		must(t, "suspend", o.ask(t, o.token, "PATCH members/"+m.id, `{"status":"suspended"}`), "200")
		return m.token
	case "org":
		return o.orgToken(t).secret
	case "org+all":
		return o.orgToken(t, ownPermissions()...).secret
	case "custom", "splunk", "sentinel":
		return o.draft(t, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.Integration(caller)}).secret
	case "system":
		return o.systemToken(t, allPermissions()...).secret
	case "gateway":
		return o.systemToken(t, counterfoil.PermTokensVerify).secret
	case "expired":
		token := o.draftWith(t, time.Second, ownPermissions()...)
		o.advance(2 * time.Second)
		return token.secret
	case "revoked":
		token := o.orgToken(t, ownPermissions()...)
		must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+token.id, ""), "200")
		return token.secret
	case "paused":
		token := o.orgToken(t, ownPermissions()...)
		must(t, "pause", o.ask(t, o.token, "PATCH tokens/"+token.id, `{"paused":true}`), "200")
		return token.secret
	}
	return o.orgToken(t, counterfoil.Reserved+strings.TrimPrefix(caller, "org+")).secret
}

// object finds or makes an object of an organization.
func (s *stage) object(t *testing.T, what, whose string) made {
	t.Helper()
	if what == "" {
		return made{}
	}
	key := what + " of " + whose
	if m, known := s.objects[key]; known {
		return m
	}
	o := s.own
	if whose == "other" {
		o = s.other
	}
	m := s.make(t, o, what)
	s.objects[key] = m
	return m
}

func (s *stage) make(t *testing.T, o *tenant, what string) made {
	t.Helper()
	s.n++
	id := func(line, body string) made {
		t.Helper()
		return made{id: must(t, line, o.ask(t, o.token, line, body), "201").at("id")}
	}
	switch what {
	case "token":
		return o.orgToken(t)
	case "system token":
		return o.systemToken(t)
	case "member's token":
		return o.personal(t, o.person(t, "member").id)
	case "owner's token":
		return o.personal(t, o.person(t, "owner").id)
	case "member", "owner":
		return made{id: o.person(t, what).id}
	case "filter":
		return id("POST ip-filters", fmt.Sprintf(`{"name":"filter %d","rules":"allow all"}`, s.n))
	case "webhook":
		return made{id: must(t, "a webhook", o.ask(t, o.token, "POST webhooks", `{"name":"x","url":"https://localhost/"}`), "201").at("webhook.id")}
	case "role":
		return id("POST roles", fmt.Sprintf(`{"name":"role%d","permissions":[]}`, s.n))
	case "export":
		must(t, "export", o.ask(t, o.token, "PUT exports/splunk", `{"url":"https://collector.invalid:8088","token":"x"}`), "200")
		return made{id: "splunk"}
	case "provider key":
		return id("POST /v1/provider/keys", fmt.Sprintf(`{"name":"key %d"}`, s.n))
	case "receipt":
		return made{id: must(t, "revoke", o.ask(t, o.token, "DELETE tokens/"+o.orgToken(t).id, ""), "200").at("receipt.id")}
	case "refusal":
		a := o.world.ask(t, o.SystemToken, "POST /v1/verify", question(o.orgToken(t).secret, "permission", "devices:read"))
		return made{id: must(t, "refuse", a, "200 missing_permission").at("reference")}
	}
	t.Fatalf("nobody knows how to make a %s", what)
	return made{}
}

// cells asks a probe in a caller's name, once for each column.
func (s *stage) cells(t *testing.T, p probe, caller string) (cells []string) {
	t.Helper()
	for _, column := range p.columns() {
		s.set(t)
		credential, whose, org := s.credential(t, caller), column, s.own
		if column == "other" {
			org = s.other
		}
		if column == "mixed" {
			whose = "other"
		}
		object := s.object(t, p.object, whose)
		s.n++
		fill := strings.NewReplacer("{org}", org.id, "{id}", object.id, "{secret}", object.secret, "{kind}", "organization", "{n}", fmt.Sprint(s.n), "{catalogue}", s.catalogue(t))
		var headers []string
		if p.form {
			headers = []string{"Content-Type", "application/x-www-form-urlencoded"}
		}
		a := s.world.ask(t, credential, fill.Replace(p.line+p.query), fill.Replace(p.body), headers...)
		cells = append(cells, s.cell(a))
		if a.status < 300 {
			if !strings.HasPrefix(p.line, "GET ") {
				delete(s.objects, p.object+" of "+whose)
			}
			if p.ends {
				s.own = nil
			}
		}
	}
	return cells
}

// cell is an answer without the places of its faults.
func (s *stage) cell(a answer) string {
	status, code, _ := strings.Cut(a.String(), " ")
	code, _, _ = strings.Cut(code, " ")
	if verdict := a.at("verdicts.0.code"); verdict != "absent" && verdict != "no JSON" {
		code = verdict
	}
	return strings.TrimSpace(status + " " + code)
}

// catalogue is the one in force, as a JSON string.
func (s *stage) catalogue(t *testing.T) string {
	t.Helper()
	if s.credentials["catalogue"] == "" {
		s.credentials["catalogue"] = inJSON(must(t, "catalogue", s.world.ask(t, s.world.SystemToken, "GET /v1/catalogue", ""), "200").at("source"))
	}
	return s.credentials["catalogue"]
}
