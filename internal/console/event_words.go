package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/identity"
)

// eventWords is what each event of the catalogue says, by type/action. %s is the name of what it was done to.
var eventWords = map[string]string{
	"access/user_status_updated":            "Changed the status of %s",
	"access/user_email_updated":             "Changed the e-mail address of %s",
	"login/user_login_successful":           "Signed in",
	"login/user_login_failed":               "Failed to sign in",
	"password/password_changed":             "Changed the password",
	"password/password_reset_requested":     "Asked for a new password for %s",
	"password/password_reset_successful":    "Set a new password by a link",
	"totp/device_enrolled":                  "Set up an authenticator app",
	"totp/device_deleted":                   "Removed the authenticator app",
	"totp/recovery_codes_created":           "Made new recovery codes",
	"passkey/passkey_added":                 "Added the passkey %s",
	"passkey/passkey_deleted":               "Removed the passkey %s",
	"invites/user_invited":                  "Invited %s",
	"invites/user_invite_accepted":          "Accepted the invitation",
	"invites/user_invite_declined":          "Declined the invitation",
	"invites/user_invite_resent":            "Sent the invitation to %s again",
	"invites/user_invite_removed":           "Removed %s",
	"roles/user_role_updated":               "Changed the roles of %s",
	"roles/role_created":                    "Created the role %s",
	"roles/role_updated":                    "Changed the role %s",
	"roles/role_deleted":                    "Deleted the role %s",
	"integrations/activities_token_created": "Created the integration token %s",
	"integrations/activities_token_revoked": "Revoked the integration token %s",
	"integrations/splunk_export_updated":    "Changed the export to Splunk",
	"integrations/webhook_updated":          "Changed the webhook %s",
	"tokens/token_created":                  "Created the token %s",
	"tokens/token_updated":                  "Changed the token %s",
	"tokens/token_rotated":                  "Gave the token %s a new value",
	"tokens/token_paused":                   "Paused the token %s",
	"tokens/token_resumed":                  "Resumed the token %s",
	"tokens/token_revoked":                  "Revoked the token %s",
	"tokens/token_expired":                  "The token %s expired",
	"tokens/token_expiring":                 "The token %s expires soon",
	"tokens/token_new_place":                "The token %s was used from a new place",
	"tokens/token_refused":                  "The token %s was refused",
	"policies/policy_updated":               "Changed the policy for %s tokens",
	"ip_filters/ip_filter_created":          "Created the IP filter %s",
	"ip_filters/ip_filter_updated":          "Changed the IP filter %s",
	"ip_filters/ip_filter_deleted":          "Deleted the IP filter %s",
	"organization/organization_created":     "Created the organization %s",
	"organization/organization_updated":     "Changed the organization %s",
	"organization/retention_updated":        "Changed for how long the log of %s is kept",
	"organization/events_removed":           "Removed what the log no longer keeps",
	"organization/organization_suspended":   "Suspended the organization %s",
	"organization/organization_reactivated": "Reactivated the organization %s",
	"organization/organization_deleted":     "Deleted the organization %s",
	"provider/assignments_updated":          "Changed which organizations %s is assigned to",
	"provider/key_created":                  "Created the provider key %s",
	"provider/key_revoked":                  "Revoked the provider key %s",
	"provider/organization_moved":           "Moved the organization %s",
	"provider/license_changed":              "Changed the licence of %s",
	"provider/usage_adjusted":               "Corrected what was billed of %s",
	"provider/trial_converted":              "The trial of %s became standard",
	"catalogue/catalogue_applied":           "Applied a new catalogue of permissions",
	"notices/notices_updated":               "Changed which mails they get",
	"sessions/session_ended":                "Ended a session",
	"sessions/console_session_created":      "Opened the console for %s",
}

// eventTypes are the types of the catalogue with their names, in the order of the filter.
var eventTypes = [][2]string{
	{"login", "Sign-ins"}, {"tokens", "Tokens"}, {"integrations", "Integrations"}, {"policies", "Policies"}, {"ip_filters", "IP filters"},
	{"invites", "Invitations"}, {"roles", "Roles"}, {"access", "Access"}, {"password", "Passwords"}, {"totp", "Authenticator apps"},
	{"passkey", "Passkeys"}, {"sessions", "Sessions"}, {"notices", "Notices"}, {"organization", "Organization"}, {"provider", "Provider"}, {"catalogue", "Catalogue"},
}

// eventAction says in words what an event is. A type of the product's own is said as it is called.
func eventAction(e *counterfoil.Event) string {
	words, known := eventWords[e.Type+"/"+e.Action]
	if !known || e.Actor.Kind == "product" {
		return humanized(e.Action) + " (" + strings.ReplaceAll(e.Type, "_", " ") + ")"
	}
	words = cmp.Or(eventOccasion(e), words)
	if strings.Contains(words, "%s") {
		name := cmp.Or(e.Target.Name, e.Target.ID)
		if e.Target.Kind != "member" && e.Target.Kind != "policy" {
			name = "“" + name + "”"
		}
		words = fmt.Sprintf(words, name)
	}
	return words + eventCircumstance(e)
}

// eventOccasion is the words of an event that several things are told by; empty for every other.
func eventOccasion(e *counterfoil.Event) string {
	if e.Action != "webhook_updated" {
		return ""
	}
	var m map[string]json.RawMessage
	if json.Unmarshal(e.Metadata, &m) != nil {
		return ""
	}
	switch {
	case string(m["before"]) == "{}":
		return "Created the webhook %s"
	case string(m["after"]) == "null":
		return "Deleted the webhook %s"
	case m["secret"] != nil:
		return "Gave the webhook %s another secret"
	case m["replayed"] != nil:
		return "Sent an event to the webhook %s again"
	}
	return ""
}

// methodWords is how somebody signed in.
func methodWords(method string) string {
	for factor, words := range map[string]string{identity.FactorTOTP: "one-time code", identity.FactorRecovery: "recovery code", identity.FactorPasskey: "passkey"} {
		if first, second := strings.CutSuffix(method, "+"+factor); second {
			return first + " and " + words
		}
	}
	return strings.ReplaceAll(method, "_", " ")
}

// eventCircumstance adds what the bare words of an event leave open.
func eventCircumstance(e *counterfoil.Event) string {
	var m struct {
		Code, Method, Reason string
		Count                int64
	}
	if json.Unmarshal(e.Metadata, &m) != nil {
		return ""
	}
	switch e.Action {
	case "token_refused":
		return " " + times(max(1, m.Count)) + ": " + refusedWhy(counterfoil.Code(m.Code))
	case "user_login_failed":
		if m.Reason != "" {
			return ": " + strings.ReplaceAll(m.Reason, "_", " ")
		}
	case "user_login_successful":
		if m.Method != "" {
			return " with " + methodWords(m.Method)
		}
	}
	return ""
}

// eventWho is the person concerned, or what acted where there is none.
func eventWho(e *counterfoil.Event) string {
	switch {
	case e.User.Email != "":
		return e.User.Email
	case e.User.UUID != "":
		return e.User.UUID
	case e.Initiator == "operator":
		return "The operator"
	case e.Initiator == "expiry", e.Initiator == "check", e.Initiator == "use":
		return "The service"
	case e.Actor.Kind == "product":
		return cmp.Or(e.Initiator, "The product")
	case e.Actor.TokenID != "":
		return "A token, " + e.Actor.TokenID
	}
	return cmp.Or(e.Initiator, "The service")
}

// initiatorWords are what the service itself does events by.
var initiatorWords = map[string]string{
	"operator": "Whoever runs the service", "check": "The service, when it checked the token", "expiry": "The service, when the token's time came",
	"use": "The service, when the token was used", "retention": "The service, which removes what is kept no longer", "webhooks": "The service, which sends webhooks",
	"test": "A test of a webhook",
}

// eventInitiator says what made an event that nobody did by hand.
func eventInitiator(e *counterfoil.Event) string {
	if words, ok := initiatorWords[e.Initiator]; ok && e.Actor.Kind != "product" {
		return words
	}
	return e.Initiator
}

// eventChange is one thing that an event changed; empty texts are nothing.
type eventChange struct{ name, before, after string }

// eventChanges is what an event says of before and after, in words, by name. What reads the same is left out.
func eventChanges(e *counterfoil.Event) (out []eventChange) {
	var m struct{ Before, After json.RawMessage }
	if json.Unmarshal(e.Metadata, &m) != nil || m.Before == nil && m.After == nil {
		return nil
	}
	var before, after map[string]any
	if decode(m.Before, &before) != nil || decode(m.After, &after) != nil {
		var a, b any
		_, _ = decode(m.Before, &a), decode(m.After, &b) // either was read as JSON already
		name := map[string]string{"user_role_updated": "Roles", "user_status_updated": "Status"}[e.Action]
		return []eventChange{{cmp.Or(name, "Value"), valueWords("", a), valueWords("", b)}}
	}
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := eventChange{humanized(strings.TrimSuffix(name, "_seconds")), valueWords(name, before[name]), valueWords(name, after[name])}
		if c.before != c.after {
			out = append(out, c)
		}
	}
	return out
}

// decode keeps numbers as they are written. Nothing is null.
func decode(raw json.RawMessage, into any) error {
	if raw == nil {
		raw = json.RawMessage("null")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// valueWords is a member's value as people read it.
func valueWords(name string, value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case json.Number:
		if n, err := v.Int64(); err == nil && strings.HasSuffix(name, "_seconds") {
			return seconds(n)
		}
		return v.String()
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil && strings.HasSuffix(name, "_at") {
			return exact(at)
		}
		return v
	case []any:
		words := make([]string, len(v))
		for i := range v {
			words[i] = valueWords("", v[i])
		}
		return strings.Join(words, ", ")
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(raw)
}

// humanized is a name of a program as a phrase: token_created is Token created.
func humanized(name string) string {
	name = strings.ReplaceAll(name, "_", " ")
	first, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(first)) + name[size:]
}
