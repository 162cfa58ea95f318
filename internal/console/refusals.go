package console

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
)

func refusalPages() []page {
	return []page{
		{method: get, path: "/o/{org}/refusals", who: member, needs: counterfoil.PermTokensRead, show: (*visit).refusals},
		{method: get, path: "/o/{org}/refusals/{ref}", who: member, needs: counterfoil.PermTokensRead, show: (*visit).refusal},
	}
}

// referenceForm is a reference within whatever somebody pastes: the whole answer, or a line of a log.
var referenceForm = regexp.MustCompile(`ref_[0-9a-zA-Z]+`)

// refusalView is all that the page of a refusal shows.
type refusalView struct {
	counterfoil.Refusal
	token  *counterfoil.Token // nil: it is gone
	filter string             // the IP filter that decided, where the person may read it
	next   []nextStep
}

// gone reports whether an error says that there is no such thing.
func gone(err error) bool { return errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")) }

// nextStep is something to do about a refusal; to may be empty.
type nextStep struct{ text, to, link string }

func (v *visit) refusal() error {
	ref := v.r.PathValue("ref")
	found, err := v.c.Registry.Refusal(v.r.Context(), v.caller(), v.org(), ref)
	if gone(err) {
		f := filled("reference", ref)
		f.wrong("reference", "no refusal of this organization has this reference, or it is older than the 40 days that refusals are kept")
		return v.listRefusals(404, f)
	}
	if err != nil {
		return err
	}
	r := &refusalView{Refusal: found}
	token, err := v.c.Registry.Token(v.r.Context(), v.caller(), v.org(), r.TokenID)
	switch {
	case err == nil:
		r.token = &token
	case !gone(err):
		return err
	}
	if err := v.nameFilters(r); err != nil {
		return err
	}
	r.next = v.nextSteps(r)
	return v.show(200, "Why was it refused?", refusalPage(v, r))
}

// momentForm is how a trace tells a moment.
var momentForm = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

func readableMoments(detail string) string {
	return momentForm.ReplaceAllStringFunc(detail, func(text string) string {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return text
		}
		return exact(at)
	})
}

var filterID = regexp.MustCompile(`"ipf_[0-9a-z]+"`)

// nameFilters puts the names of IP filters into the trace, where the person may read them.
func (v *visit) nameFilters(r *refusalView) error {
	if !v.may(counterfoil.PermIPFiltersRead) {
		return nil
	}
	for i := range r.Trace {
		quoted := filterID.FindString(r.Trace[i].Detail)
		if quoted == "" {
			continue
		}
		filter, err := v.c.Registry.IPFilter(v.r.Context(), v.caller(), v.org(), strings.Trim(quoted, `"`))
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		if !r.Trace[i].Passed {
			r.filter = filter.ID
		}
		r.Trace[i].Detail = strings.Replace(r.Trace[i].Detail, quoted, "“"+filter.Name+"”", 1)
	}
	return nil
}

// decided is the step that refused; the zero step where the trace is lost.
func (r *refusalView) decided() counterfoil.TraceStep {
	if n := len(r.Trace); n > 0 && !r.Trace[n-1].Passed {
		return r.Trace[n-1]
	}
	return counterfoil.TraceStep{}
}

// nextSteps is what can be done about a refusal, by its code and by how the token is now.
func (v *visit) nextSteps(r *refusalView) (steps []nextStep) {
	step := func(text, to, link string) { steps = append(steps, nextStep{text, to, link}) }
	if r.token == nil {
		step("The token is gone, so nothing brings this back. Create another one, and put its value where this one is used.", "", "")
		return steps
	}
	page, owner, policy := v.tokenPath(r.token, ""), "", ""
	if v.may(counterfoil.PermPoliciesRead) {
		policy = v.path("/policies/%s", r.token.Kind)
	}
	if r.token.Owner != nil && r.token.Owner.Email != "" && v.may(counterfoil.PermMembersRead) {
		owner = v.memberPath(r.token.Owner.ID, "")
	}
	switch r.Code {
	case counterfoil.CodeTokenRevoked:
		if r.token.Status == counterfoil.StatusRevoked {
			step("A revoked token stays revoked. Create another one, and put its value where this one is used.", "", "")
		} else {
			step("The value was rotated away: put the value of the last rotation where the old one is used, or rotate once more for a new one.", page, "Open the token")
		}
	case counterfoil.CodeTokenPaused:
		step("Resume the token on its page, once whatever it was paused for is over.", page, "Open the token")
	case counterfoil.CodeOrganizationSuspended:
		step("Whoever runs this service has suspended the organization, or did so then.", "", "")
	case counterfoil.CodeOwnerInactive:
		step("The token works again when its owner is active. If they have left, make a token of somebody else's, or an organization token.", owner, "Open the owner")
	case counterfoil.CodeWrongAudience:
		step("A token of an integration opens its own reader of the activity log and nothing else, and other tokens do not open Splunk's. Create one for this use.", "", "")
	case counterfoil.CodeKindDisabled:
		step("Tokens of this kind are switched off by the security policy. Switching them on again brings back all of them.", policy, "Open the policy")
	case counterfoil.CodeTokenExpired:
		step("Edit the token's expiry: it works again with the same value.", page, "Open the token")
	case counterfoil.CodeMaxLifetimeExceeded:
		step("Edit the token's expiry, which renews it.", page, "Open the token")
		step("Or allow a longer lifetime in the security policy.", policy, "Open the policy")
	case counterfoil.CodeIPNotAllowed:
		step("If the address "+r.address()+" is right, allow it in the IP filter that decided; filters are read from the top, and the first line that matches decides.", v.filterPath(r.filter), "Open the IP filter")
		step("If it is a proxy's and not the client's, the gateway passes on the wrong address.", "", "")
	case counterfoil.CodeMissingPermission:
		v.permissionSteps(r, owner, step)
	}
	return steps
}

// permissionSteps tells where a permission is missing: on the token, or with its owner.
func (v *visit) permissionSteps(r *refusalView, owner string, step func(text, to, link string)) {
	if lost := r.Asked.Within(r.token.Permissions).Beyond(r.token.EffectivePermissions); len(lost) > 0 && r.token.Owner != nil {
		step("The token has "+list(lost)+", and its owner does not hold it any more: give the owner a role that does.", owner, "Open the owner")
		return
	}
	text := "Put the permission on the token, if what uses it ought to do this."
	if missing := r.Asked.Beyond(r.token.Permissions); len(missing) > 0 {
		text = "Put " + list(missing) + " on the token, if what uses it ought to do this."
	} else if len(r.Asked) > 0 {
		text = "The token may do this now: it was changed since."
	}
	step(text, v.tokenPath(r.token, ""), "Open the token")
	if r.Endpoint != "" && len(r.Asked) == 0 {
		step("An endpoint that the catalogue does not list is refused whatever the token holds: whoever runs the service adds it there.", "", "")
	}
}

// filterPath is the address of an IP filter's page; empty for none.
func (v *visit) filterPath(id string) string {
	if id == "" {
		return ""
	}
	return v.path("/ip-filters/%s", url.PathEscape(id))
}

func (r *refusalView) address() string {
	if r.IP == "" {
		return "(none was named)"
	}
	return r.IP
}

// ruleTitles name the rules of the check.
var ruleTitles = map[string]string{
	"value": "Value", "revoked": "Revocation", "paused": "Pause", "organization": "Organization", "owner": "Owner", "audience": "Where it is used",
	"kind": "Kind of token", "expiry": "Expiry", "lifetime": "Longest lifetime", "enforced_ip_filter": "Enforced IP filter", "own_ip_filter": "The token's IP filter",
	"permission": "Permission", "endpoint": "Endpoint",
}

func ruleTitle(rule string) string {
	if title, ok := ruleTitles[rule]; ok {
		return title
	}
	return humanized(rule)
}

// refusedWords says how often, and when.
func (v *visit) refusedWords(r *refusalView) string {
	if r.Count == 1 {
		return sentence("once, " + relative(v.now(), r.FirstAt))
	}
	return sentence(times(r.Count) + " within a minute, the last time " + relative(v.now(), r.LastAt))
}

// title says what a refusal was.
func (r *refusalView) title() string {
	return "Refused: " + refusedWhy(r.Code)
}

// refusedReasons are why a token can have been refused, in the order of the filter.
var refusedReasons = []struct {
	code counterfoil.Code
	why  string
}{
	{counterfoil.CodeTokenExpired, "the token had expired"}, {counterfoil.CodeTokenRevoked, "the value was revoked"}, {counterfoil.CodeTokenPaused, "the token was paused"},
	{counterfoil.CodeIPNotAllowed, "the address was not allowed"}, {counterfoil.CodeMissingPermission, "a permission was missing"},
	{counterfoil.CodeWrongAudience, "not good for that address"}, {counterfoil.CodeKindDisabled, "the policy did not allow this kind"},
	{counterfoil.CodeMaxLifetimeExceeded, "older than the policy allowed"}, {counterfoil.CodeOwnerInactive, "its owner was not active"},
	{counterfoil.CodeOrganizationSuspended, "the organization was suspended"},
}

// refusedWhy says in a few words what a code means.
func refusedWhy(code counterfoil.Code) string {
	for _, r := range refusedReasons {
		if r.code == code {
			return r.why
		}
	}
	return strings.ReplaceAll(string(code), "_", " ")
}
