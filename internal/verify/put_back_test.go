package verify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/registry"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verify"
)

// beforeAPutBack is an organization of which all is remembered, and a connection to its database past the service.
func beforeAPutBack(t *testing.T) (*organization, *pgx.Conn) {
	t.Helper()
	url := postgrestest.NewDatabase(t)
	o := start(t, store.Config{DatabaseURL: url, Lease: store.MinLease}, nil).organization()
	conn, err := pgx.Connect(t.Context(), url)
	o.must(err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	eventually(o, "the log is followed to its end", func() bool {
		last, err := o.Store.LastEvent(t.Context())
		return err == nil && o.Store.Standing().Applied >= last
	})
	o.warm(o.Verifier)
	return o, conn
}

// putBack makes the log another one, as when a backup is put back, and the organization's rules those of the version before. It
// returns once the node has noticed.
func (o *organization) putBack(conn *pgx.Conn) {
	o.Helper()
	before, _ := o.Store.Alive()
	batch := &pgx.Batch{}
	batch.Queue("UPDATE organizations SET version = version - 1 WHERE id = $1", o.id)
	batch.Queue("UPDATE events SET hash = 'another' WHERE seq = (SELECT MAX(seq) FROM events)")
	o.must(conn.SendBatch(o.Context(), batch).Close())
	eventually(o, "a new epoch", func() bool { epoch, alive := o.Store.Alive(); return alive && epoch != before })
}

// wantsDisabled wants a check of the integration's token to go by the policy that does not allow its kind.
func (o *organization) wantsDisabled(strict bool) {
	o.Helper()
	r, err := o.Verify(o.Context(), &verify.Request{Token: o.tokens["integration"].Secret, Attempt: o.use("integration"), Strict: strict})
	o.must(err)
	if r.Code != disabled {
		o.Errorf("strict %v: where its kind is not allowed a check says %s", strict, r.Code)
	}
}

// Rules that were read from the database before a backup was put back, by a reader that was slow, are not taken for those that have
// the same version afterwards.
func TestRulesReadBeforeAPutBack(t *testing.T) {
	t.Parallel()
	o, conn := beforeAPutBack(t)
	o.must(o.Store.View(t.Context(), o.id, func(tx *store.Tx) error { // as a check does that reads an organization's rules
		if _, _, err := tx.CurrentOrganization(); err != nil {
			return err
		}
		o.putBack(conn)
		o.wants(o.tokens["integration"].Secret, o.use("integration"), counterfoil.CodeOK) // memory is forgotten
		_, err := o.config.Rules.Committed(tx)
		return err
	}))
	_, _, err := o.registry.SetPolicy(t.Context(), registry.Operator(), o.id, counterfoil.KindIntegration, func(p counterfoil.PolicyTerms) counterfoil.PolicyTerms {
		p.Allowed = false
		return p
	}, registry.Guarded{})
	o.must(err)
	o.wantsDisabled(false)
	o.wantsDisabled(true)
}

// A node that is asked for strict checks and changes alone does not go by rules either that it remembers of the log before.
func TestRulesOfTheLogBefore(t *testing.T) {
	t.Parallel()
	o, conn := beforeAPutBack(t)
	o.putBack(conn)
	batch := &pgx.Batch{} // another node changes the policy
	batch.Queue("UPDATE policies SET allowed = 0, version = version + 1 WHERE organization = $1 AND kind = 'integration'", o.id)
	batch.Queue("UPDATE organizations SET version = version + 1 WHERE id = $1", o.id)
	o.must(conn.SendBatch(t.Context(), batch).Close())
	made, err := o.registry.CreateToken(t.Context(), registry.Operator(), o.id, counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "one more"})
	if !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodePolicyViolation}) {
		t.Errorf("a token is made of a kind that is not allowed: %v, %v", made.Token.ID, err)
	}
	facts, err := o.Facts(t.Context(), o.tokens["integration"].Secret, "")
	o.must(err)
	for _, p := range facts.Facts.Organization.Policies {
		if p.Kind == counterfoil.KindIntegration && p.Allowed {
			t.Error("a verifier is told that its kind is allowed")
		}
	}
	o.wantsDisabled(true)
}
