package verify_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// TestDamagedRows damages what is stored, one row at a time: the tokens that depend on it are refused or get no answer, and
// another organization's are as they were (S10).
func TestDamagedRows(t *testing.T) {
	dir := t.TempDir()
	in := start(t, store.Config{Dir: dir}, nil)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "counterfoil.db")+"?_pragma=busy_timeout(5000)")
	in.must(err)
	defer db.Close()
	bystander := in.organization()
	bystander.warm(bystander.Verifier)
	for _, c := range []struct {
		name, token string
		want        counterfoil.Code // "": an error
		damage      string           // of rows that name the organization or the token
	}{
		{"another kind", "ann", counterfoil.CodeInvalidToken, "UPDATE tokens SET kind = 'organization' WHERE id = $2"},
		{"no kind", "ann", counterfoil.CodeInvalidToken, "UPDATE tokens SET kind = 'root' WHERE id = $2"},
		{"a system token of an organization", "organization", "", "UPDATE tokens SET kind = 'system' WHERE id = $2"},
		{"an organization's token of the instance", "organization", "", "UPDATE tokens SET organization = '' WHERE id = $2"},
		{"a system token moved", "system", "", "UPDATE tokens SET organization = $1 WHERE id = $2"},
		{"no organization", "organization", counterfoil.CodeInvalidToken, "DELETE FROM organizations WHERE id = $1"},
		{"another organization's member", "ann", inactive, "UPDATE tokens SET owner = (SELECT id FROM members WHERE organization <> $1 AND roles = 'crew') WHERE id = $2"},
		{"no owner", "ann", inactive, "UPDATE tokens SET owner = '' WHERE id = $2"},
		{"a short digest", "ann", "", "UPDATE tokens SET digest = x'00' WHERE id = $2"},
		{"a digest of nothing", "ann", counterfoil.CodeInvalidToken, "UPDATE tokens SET digest = zeroblob(32) WHERE id = $2"},
		{"no policy", "ann", disabled, "DELETE FROM policies WHERE organization = $1"},
		{"a policy of text", "ann", "", "UPDATE policies SET allowed = 'yes' WHERE organization = $1"},
		{"a policy that is neither", "ann", disabled, "UPDATE policies SET allowed = 2 WHERE organization = $1"},
		{"a lifetime below zero", "ann", tooOld, "UPDATE policies SET max_lifetime = -1 WHERE organization = $1"},
		{"a lifetime past all bounds", "bob", counterfoil.CodeOK, "UPDATE policies SET max_lifetime = 9223372036854775807 WHERE organization = $1"},
		{"a filter of nonsense", "ann", wrongIP, "UPDATE ip_filters SET rules = 'allow everything' WHERE organization = $1"},
		{"no filter", "ann", wrongIP, "DELETE FROM ip_filters WHERE organization = $1"},
		{"an enforced filter that is not there", "bob", wrongIP, "UPDATE policies SET enforced_ip_filter = 'ipf_none' WHERE organization = $1"},
		{"a status that is none", "ann", suspended, "UPDATE organizations SET status = 'fine' WHERE id = $1"},
		{"a member's status that is none", "ann", inactive, "UPDATE members SET status = 'fine' WHERE organization = $1"},
		{"roles that are none", "ann", missing, "UPDATE members SET roles = 'root' WHERE organization = $1"},
		{"an expiry long ago", "ann", expired, "UPDATE tokens SET expires_at = -1 WHERE id = $2"},
		{"a pause that is neither", "ann", paused, "UPDATE tokens SET paused = 7 WHERE id = $2"},
		{"a revocation before all time", "ann", revoked, "UPDATE tokens SET revoked_at = -1 WHERE id = $2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer in.borrow(t)()
			o := in.organization()
			if _, err := db.ExecContext(t.Context(), c.damage, o.id, o.tokens[c.token].Token.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "UPDATE organizations SET version = version + 1 WHERE id = $1", o.id); err != nil {
				t.Fatal(err)
			}
			o.Purge()
			if err := o.NoteUses(t.Context(), []counterfoil.VerifierUse{{Token: o.tokens[c.token].Token.ID, Count: 1}}); err != nil {
				t.Errorf("a report with its uses would be sent for ever, and its verifier get no lease: %v", err)
			}
			bystander.warm(bystander.Verifier) // its members and rules are in memory
			r, err := o.Verify(context.Background(), &verify.Request{Token: o.tokens[c.token].Secret, Attempt: o.use(c.token)})
			if failed := err != nil; failed != (c.want == "") || r.Code != c.want {
				t.Errorf("the check says %q, %v, want %q", r.Code, err, c.want)
			}
			elsewhere, err := o.Verify(context.Background(), &verify.Request{Token: o.tokens[c.token].Secret, Attempt: o.use(c.token), Within: bystander.id})
			if err == nil && elsewhere.Code != counterfoil.CodeInvalidToken {
				t.Errorf("within another organization it is %s", elsewhere.Code)
			}
			for _, token := range kinds[:4] {
				bystander.wants(bystander.tokens[token].Secret, bystander.use(token), counterfoil.CodeOK)
			}
		})
	}
}
