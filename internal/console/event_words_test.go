package console

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// TestEveryEventHasWords reads the sources for the events that are recorded, so that a new one wants its words.
func TestEveryEventHasWords(t *testing.T) {
	recorded := regexp.MustCompile(`(?:record(?:For)?\((?:tx, |w\.tx, )?|typ: |Type: )"([a-z_]+)",\s*(?:action: |Action: )?"([a-z_]+)"`)
	found := 0
	for _, dir := range []string{"registry", "identity", "verify"} {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range recorded.FindAllStringSubmatch(string(source), -1) {
				found++
				if _, ok := eventWords[m[1]+"/"+m[2]]; !ok {
					t.Errorf("%s records %s/%s, and event_words.go has no words for it", file, m[1], m[2])
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d events were found: the sources look different now", found)
	}
	for name := range eventWords {
		typ, _, _ := strings.Cut(name, "/")
		if !slices.ContainsFunc(eventTypes, func(t [2]string) bool { return t[0] == typ }) {
			t.Errorf("the type of %s is not in the filter", name)
		}
	}
}

func TestEventWords(t *testing.T) {
	type said struct {
		who, action string
		changes     []eventChange
	}
	for _, c := range []struct {
		name  string
		event string
		want  said
	}{
		{"a token's edit", `{"type":"tokens","action":"token_updated","target":{"kind":"token","id":"tok_1","name":"ci"},"user":{"email":"ada@example.com"},
			"metadata":{"before":{"expires_at":null,"permissions":["a:read"]},"after":{"expires_at":"2026-01-31T12:00:00Z","permissions":["a:read","b:write"]}}}`,
			said{"ada@example.com", "Changed the token “ci”", []eventChange{{"Expires at", "", "Saturday 31 January 2026, 12:00:00 UTC"}, {"Permissions", "a:read", "a:read, b:write"}}}},
		{"a policy", `{"type":"policies","action":"policy_updated","target":{"kind":"policy","id":"personal","name":"personal"},"actor":{"kind":"token","token_id":"tok_7"},
			"metadata":{"before":{"allowed":true,"max_lifetime_seconds":7776000},"after":{"allowed":true,"max_lifetime_seconds":2592000}}}`,
			said{"A token, tok_7", "Changed the policy for personal tokens", []eventChange{{"Max lifetime", "90 days", "30 days"}}}},
		{"roles", `{"type":"roles","action":"user_role_updated","target":{"kind":"member","name":"bob@example.com"},"initiator":"operator","metadata":{"before":["member"],"after":["admin","member"]}}`,
			said{"The operator", "Changed the roles of bob@example.com", []eventChange{{"Roles", "member", "admin, member"}}}},
		{"refusals", `{"type":"tokens","action":"token_refused","target":{"name":"ci"},"initiator":"check","metadata":{"code":"ip_not_allowed","count":12}}`,
			said{"The service", "The token “ci” was refused 12 times: the address was not allowed", nil}},
		{"a webhook's beginning", `{"type":"integrations","action":"webhook_updated","target":{"name":"chat"},"initiator":"operator","metadata":{"before":{},"after":{"enabled":true}}}`,
			said{"The operator", "Created the webhook “chat”", []eventChange{{"Enabled", "", "yes"}}}},
		{"a webhook's edit", `{"type":"integrations","action":"webhook_updated","target":{"name":"chat"},"initiator":"operator","metadata":{"before":{"enabled":true},"after":{"enabled":false}}}`,
			said{"The operator", "Changed the webhook “chat”", []eventChange{{"Enabled", "yes", "no"}}}},
		{"a webhook's end", `{"type":"integrations","action":"webhook_updated","target":{"name":"chat"},"initiator":"operator","metadata":{"before":{"name":"chat"},"after":null}}`,
			said{"The operator", "Deleted the webhook “chat”", []eventChange{{"Name", "chat", ""}}}},
		{"a webhook's new secret", `{"type":"integrations","action":"webhook_updated","target":{"name":"chat"},"initiator":"operator","metadata":{"secret":"rotated","grace_seconds":0}}`,
			said{"The operator", "Gave the webhook “chat” another secret", nil}},
		{"a sign-in", `{"type":"login","action":"user_login_successful","user":{"email":"ada@example.com"},"metadata":{"method":"password+totp"}}`,
			said{"ada@example.com", "Signed in with password and one-time code", nil}},
		{"the product's own", `{"type":"devices","action":"device_restarted","actor":{"kind":"product"},"user":{"uuid":"u-1"},"metadata":{"before":1}}`,
			said{"u-1", "Device restarted (devices)", []eventChange{{"Value", "1", ""}}}},
		{"the product's own under a name of ours", `{"type":"tokens","action":"token_revoked","actor":{"kind":"product"},"metadata":null}`,
			said{"The product", "Token revoked (tokens)", nil}},
	} {
		var e counterfoil.Event
		if err := json.Unmarshal([]byte(c.event), &e); err != nil {
			t.Fatal(err)
		}
		got := said{eventWho(&e), eventAction(&e), eventChanges(&e)}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}
