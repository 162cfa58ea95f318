package registry

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/rules"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/internal/verifiers"
)

// What a verifier has applied of the log that was there before says nothing of one that was put in its place: a revocation waits until
// its time is over, and it is given no more by what it knew.
func TestVerifierOfTheLogBefore(t *testing.T) {
	url := postgrestest.NewDatabase(t)
	s, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	set := verifiers.New(s.Lease(), 0, s.Alive)
	s.Gate(set.Floor)
	r := New(Config{Store: s, Verifiers: set, Rules: &rules.Cache{InForce: &rules.InForce{}}, Applied: func(*counterfoil.Event) {}, Plans: []string{"teams"}, DataCenter: "local", URL: "https://x.example"})
	write := func(name string) (org string) {
		t.Helper()
		made, err := r.CreateOrganization(t.Context(), Operator(), counterfoil.OrganizationDraft{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	const token = "tok_fedtofedtofe"
	org := write("Fed")
	if err := s.Update(t.Context(), org, store.ForTokens, func(tx *store.Tx) error {
		return tx.InsertToken(store.Token{ID: token, Kind: counterfoil.KindOrganization, Name: "fed", KeyID: 1})
	}); err != nil {
		t.Fatal(err)
	}
	kept, _, err := r.LogEnd(t.Context(), Operator())
	if err != nil {
		t.Fatal(err)
	}
	write("One")
	write("Two")
	last, hash, err := r.LogEnd(t.Context(), Operator())
	if err != nil {
		t.Fatal(err)
	}
	until := func(what string, met func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !met(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("never: ", what)
			}
		}
	}
	until("the log is followed to its end", func() bool { return s.Standing().Applied >= last })
	report := counterfoil.VerifierReport{Applied: last, Hash: hash, LeaseMS: 10_000}
	before, _ := s.Alive()
	granted, began := counterfoil.VerifierLease{}, time.Now()
	until("it is given most of a lease", func() bool {
		began = time.Now()
		granted, err = r.ReportVerifier(t.Context(), Operator(), "ver_one", report)
		return err == nil && granted.LeaseMS > 1500
	})
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "DELETE FROM events WHERE seq > $1", kept); err != nil {
		t.Fatal(err)
	}
	until("it is noticed", func() bool { epoch, alive := s.Alive(); return alive && epoch != before })
	if _, err := r.RevokeToken(t.Context(), Operator(), org, token, ""); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(began.Add(time.Duration(granted.LeaseMS) * time.Millisecond)); left > 0 {
		t.Errorf("a revocation is answered while a verifier that cannot have heard of it goes by what it remembers for %v more", left)
	}
	write("Three")
	write("Four") // the numbers have come again
	if again, _, err := r.LogEnd(t.Context(), Operator()); err != nil || again < last {
		t.Fatalf("the log ends at %d, before %d (%v)", again, last, err)
	}
	if got, err := r.ReportVerifier(t.Context(), Operator(), "ver_one", report); !errors.Is(err, &counterfoil.Error{Code: counterfoil.CodeCursorExpired}) {
		t.Errorf("with the hash of before it is granted %+v (%v)", got, err)
	}
	report.Hash = nil
	if got, err := r.ReportVerifier(t.Context(), Operator(), "ver_one", report); err != nil || got.LeaseMS != 0 || set.Count() != 0 {
		t.Errorf("without a hash it is granted %+v (%v)", got, err)
	}
	report.Applied, report.Hash, err = r.LogEnd(t.Context(), Operator())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.ReportVerifier(t.Context(), Operator(), "ver_one", report); err != nil || got.LeaseMS == 0 || set.Floor() != report.Applied {
		t.Errorf("once it has begun anew it is granted %+v (%v), and the floor is %d", got, err, set.Floor())
	}
}
