package store

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// marked is in every text of the organization that must stay unseen.
const marked = "zebra"

// world is an organization with one of everything.
type world struct {
	org, token, owner, user, member, role, filter, receipt, refusal, eventID, key, webhook, delivery string
}

func makeWorld(t *testing.T, s *fixture) world {
	t.Helper()
	w := world{org: s.organization(t), token: tokenID(), role: NewID("rol"), filter: NewID("ipf"), receipt: NewID("rcp"), refusal: NewID("ref"), eventID: "their id", key: NewID("key"), webhook: NewID("whk")}
	s.write(t, w.org, func(tx *Tx) error {
		owner, err := tx.InsertMember(counterfoil.Member{Email: marked + w.org + "@example.com", Name: marked, Roles: []string{"owner"}, Status: counterfoil.MemberActive})
		if err != nil {
			return err
		}
		w.owner, w.user = owner.ID, UUID(owner.UserID)
		member, err := tx.InsertMember(counterfoil.Member{Email: w.org + marked + "@example.com", Name: marked, Roles: []string{marked}, Status: counterfoil.MemberActive})
		if err != nil {
			return err
		}
		w.member = member.ID
		policy := counterfoil.DefaultPolicy(counterfoil.KindPersonal)
		enforced := marked
		policy.EnforcedIPFilter = &enforced
		token := newToken(w.token)
		token.Name, token.Owner, token.IPFilter = marked, owner.ID, w.filter
		token.Permissions = counterfoil.NewPermissions(marked + ":read")
		tx.Append(counterfoil.Event{Type: "tokens", Action: marked})
		tx.Append(counterfoil.Event{Type: "login", Action: "user_login_successful", User: counterfoil.EventUser{UUID: w.user}})
		o, _, err := tx.CurrentOrganization()
		if err != nil {
			return err
		}
		o.Name = marked
		return firstError(
			tx.UpdateOrganization(o.Organization),
			tx.InsertIPFilter(counterfoil.IPFilter{ID: w.filter, Name: marked, Rules: "# " + marked}),
			tx.InsertRole(counterfoil.Role{ID: w.role, Name: marked, Permissions: counterfoil.NewPermissions(marked)}),
			tx.UpdatePolicy(policy),
			tx.InsertToken(token),
			tx.SaveReceipt(w.receipt, marked),
			tx.SetRetention(99),
			tx.SaveUsageState(UsageState{Day: 1, State: marked}),
			tx.SaveUsageRow(UsageRow{Provider: w.org, Period: "m2026-01", Figures: marked}),
			tx.InsertAdjustment(UsageAdjustment{ID: "adj_1", Period: "m2026-02", Organization: w.org, Corrects: "m2026-01", Figures: marked}),
			tx.SetSplunkExport(SplunkExport{URL: "https://" + marked + ".example", Revision: marked}),
			tx.InsertProviderKey(ProviderKey{ID: w.key, Name: marked, Algorithm: counterfoil.KeyEdDSA}),
			tx.AcceptJWT(w.key, marked, tx.Now()+1, "192.0.2.1"),
			tx.In("0 "+marked+w.org, func(tx *Tx) error {
				return tx.InsertOrganization(counterfoil.Organization{Slug: UUID(NewID("org")), Name: marked, License: counterfoil.LicenseNFR, ManagedBy: &w.org})
			}),
			tx.Assign(w.member, []string{"0 " + marked + w.org}),
			tx.Assign(w.owner, []string{w.org}),
			tx.InsertWebhook(Webhook{ID: w.webhook, Name: marked, URL: "https://" + marked, Sealed: []byte{1}}),
			tx.InsertDelivery(w.webhook, Head{Number: 1, Event: marked, Type: marked, Action: marked}),
			errorOf(tx.ClaimEventIDs([]EventID{{ID: w.eventID, Event: marked}})),
			tx.SaveRefusal(Refusal{ID: w.refusal, Endpoint: marked, Count: 1}),
		)
	})
	w.delivery = read(t, s, w.org, func(tx *Tx) (string, error) {
		list, err := tx.Deliveries(w.webhook, "", "", 1)
		return list[0].ID, err
	})
	if err := s.Update(t.Context(), w.org, ForTokens, func(tx *Tx) error { return tx.WatchPrevious(w.token, epoch+9) }); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordUses(t.Context(), []Use{{Token: w.token, IP: marked, At: epoch, Count: 3, Until: epoch + 9}, {Token: w.token, IP: "192.0.2.1", At: epoch - 1, Count: 1}, {Token: w.token, IP: "203.0.113.1", At: epoch - 1, Count: 1}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Each probe runs twice: bound to the other organization it must see and change nothing, bound to the owning one it
// must, or it proves nothing.
func organizationBound(t *testing.T, s *fixture) {
	tx := reflect.TypeFor[*Tx]()
	for i := range tx.NumMethod() {
		if _, ok := probes[tx.Method(i).Name]; !ok {
			t.Errorf("Tx.%s has no entry in probes: say how it stays in its organization", tx.Method(i).Name)
		}
	}
	for name, p := range probes {
		if _, ok := tx.MethodByName(name); !ok {
			t.Errorf("probes has %s, Tx has not", name)
		}
		if p.crosses != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			a, b := makeWorld(t, s), s.organization(t)
			before := dump(t, s, a)
			if result := run(t, s, b, a, p); shows(result) {
				t.Errorf("a transaction of %s saw %v", b, result)
			}
			if after := dump(t, s, a); after != before {
				t.Errorf("a transaction of %s changed the other organization:\n%s\nwas\n%s", b, after, before)
			}
			result := run(t, s, a.org, a, p)
			if p.reads != nil && !shows(result) {
				t.Errorf("control: its own transaction does not see it either: %v", result)
			}
			if p.writes != nil && dump(t, s, a) == before {
				t.Error("control: its own transaction does not change it either")
			}
		})
	}
}

func run(t *testing.T, s *fixture, org string, a world, p probe) (result any) {
	t.Helper()
	try := p.reads
	if p.writes != nil {
		try = p.writes
	}
	err := s.Update(t.Context(), org, ForRules, func(tx *Tx) (err error) {
		result, err = try(tx, a)
		return err
	})
	if org == a.org && err != nil {
		t.Fatalf("control: %v", err)
	}
	if err != nil && isUnavailable(err) {
		t.Fatalf("another organization's id made the system fail: %v", err)
	}
	return result
}

func shows(result any) bool {
	switch v := result.(type) {
	case int64:
		return v != 0
	case bool:
		return v
	}
	text, err := json.Marshal(result)
	return err != nil || strings.Contains(string(text), marked)
}

var createTable = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\)(?:\{\{clustered\}\})?;\n`)

// dump is every row of every table that belongs to the organization.
func dump(t *testing.T, s *fixture, w world) string {
	t.Helper()
	var out strings.Builder
	add := func(table, condition string, arg string) {
		lines := read(t, s, "", func(tx *Tx) ([]string, error) {
			r, err := tx.q.query("SELECT * FROM "+table+" WHERE "+condition, arg)
			if err != nil {
				return nil, err
			}
			defer r.Close()
			columns, err := r.(interface{ Columns() ([]string, error) }).Columns()
			var lines []string
			for err == nil && r.Next() {
				row, dest := make([]any, len(columns)), make([]any, len(columns))
				for i := range row {
					dest[i] = &row[i]
				}
				err = r.Scan(dest...)
				lines = append(lines, fmt.Sprintln(table, row))
			}
			return lines, firstError(err, r.Err())
		})
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, ""))
	}
	add("previous_uses", "token = $1", w.token)
	for _, m := range createTable.FindAllStringSubmatch(strings.Join(migrations, "\n"), -1) {
		if strings.Contains(m[2], "organization TEXT") {
			add(m[1], "organization = $1", w.org)
		}
	}
	add("organizations", "id = $1", w.org)
	add("users", "email LIKE '%' || $1 || '%'", strings.ToLower(w.org))
	add("assignments", "member = $1", w.member)
	add("usage_adjustments", "provider = $1", w.org)
	add("token_uses", "token = $1", w.token)
	add("token_places", "token = $1", w.token)
	add("token_use_days", "token = $1", w.token)
	return out.String()
}

func errorOf[T any](_ T, err error) error { return err }
