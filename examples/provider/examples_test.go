package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
)

// The examples run as they are: each signs with a library of its own.
func TestExamples(t *testing.T) {
	s := counterfoiltest.Start(t)
	p := s.NewProvider(t, "Provider")
	one, err := p.Client().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "Customer"})
	if err != nil {
		t.Fatal(err)
	}
	ours, err := p.Client().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "Ours", License: counterfoil.LicenseNFR})
	if err != nil {
		t.Fatal(err)
	}
	for _, org := range []string{one.ID, ours.ID} {
		if _, err := s.System().AddMember(t.Context(), org, counterfoil.MemberDraft{Email: "a@customer.example", Name: "A"}); err != nil {
			t.Fatal(err)
		}
	}
	signWith(t, s, p)
	sheet := func(t *testing.T, text string) {
		t.Helper()
		if !strings.HasPrefix(text, "month,provisional,") || strings.Count(text, "\n") != 3 || !strings.Contains(text, one.ID) {
			t.Errorf("it printed %q", text)
		}
	}
	t.Run("Go", func(t *testing.T) {
		var out strings.Builder
		if err := run(&out); err != nil {
			t.Fatal(err)
		}
		sheet(t, out.String())
	})
	t.Run("curl and openssl", func(t *testing.T) { sheet(t, program(t, "sh", "usage.sh")) })
	t.Run("Python", func(t *testing.T) {
		python(t)
		sheet(t, program(t, "python3", "counterfoil.py"))
	})
	t.Run("PSA", func(t *testing.T) {
		python(t)
		got := &psa{counts: map[string]float64{}}
		receiver := httptest.NewServer(got)
		defer receiver.Close()
		t.Setenv("PSA_URL", receiver.URL)
		if out := program(t, "python3", "psa_sync.py"); out != "pushed 8 lines\n" {
			t.Errorf("it printed %q", out)
		}
		for product, want := range map[string]float64{"counterfoil-teams": 1, "counterfoil-business": 0, "counterfoil-enterprise": 0, "counterfoil-nfr": 0} {
			if n, pushed := got.counts[one.ID+" "+product]; !pushed || n != want {
				t.Errorf("%s: %v (pushed %t), want %v", product, n, pushed, want)
			}
		}
		if n := got.counts[ours.ID+" counterfoil-nfr"]; n != 1 {
			t.Errorf("NFR: %v", n)
		}
	})
}

// TestSyncPushesAdjustments: what corrects an earlier month is a product of its own, summed up, in the month that runs.
func TestSyncPushesAdjustments(t *testing.T) {
	python(t)
	var ahead atomic.Int64 // the customer begins 40 days ago
	ahead.Store(int64(-40 * 24 * time.Hour))
	s := counterfoiltest.Start(t, counterfoiltest.WithClock(func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }))
	p := s.NewProvider(t, "Provider")
	one, err := p.Client().CreateManagedOrganization(t.Context(), counterfoil.ManagedDraft{Name: "Customer"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.System().AddMember(t.Context(), one.ID, counterfoil.MemberDraft{Email: "a@customer.example", Name: "A"}); err != nil {
		t.Fatal(err)
	}
	system, err := s.System().CreateToken(t.Context(), client.System, counterfoil.Draft{Name: "corrections", Permissions: []string{counterfoil.PermOrganizationsWrite}})
	if err != nil {
		t.Fatal(err)
	}
	ahead.Store(0)
	signWith(t, s, p)
	now := time.Now().UTC()
	last := now.AddDate(0, 0, -now.Day()).Format("2006-01")
	for _, should := range []struct {
		seats int
		plan  string
	}{{4, "business"}, {3, "teams"}} {
		_, err := s.As(system.Secret).CorrectUsage(t.Context(), counterfoil.UsageCorrection{Organization: one.ID, Month: last, Billable: &should.seats, Plan: should.plan, Reason: "miscounted", Provider: p.ID})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := &psa{counts: map[string]float64{}}
	receiver := httptest.NewServer(got)
	defer receiver.Close()
	t.Setenv("PSA_URL", receiver.URL)
	program(t, "python3", "psa_sync.py")
	for product, want := range map[string]float64{"counterfoil-teams": 1, "counterfoil-teams-adjustment": 2, "counterfoil-business-adjustment": 0} {
		if n, pushed := got.counts[one.ID+" "+product]; !pushed || n != want {
			t.Errorf("%s: %v (pushed %t), want %v", product, n, pushed, want)
		}
	}
}

// signWith makes a key and sets it for the programs.
func signWith(t *testing.T, s *counterfoiltest.Server, p *counterfoiltest.Organization) {
	t.Helper()
	key, err := p.Client().CreateProviderKey(t.Context(), counterfoil.ProviderKeyDraft{Name: "examples"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, []byte(key.PrivateKey), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"URL": s.URL, "ISSUER": key.Issuer, "AUDIENCE": key.Audience, "KEY_ID": key.KeyID, "KEY_FILE": file} {
		t.Setenv("COUNTERFOIL_"+name, value)
	}
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
}

func python(t *testing.T) {
	t.Helper()
	if exec.Command("python3", "-c", "import cryptography").Run() != nil {
		t.Skip("needs python3 with the package cryptography")
	}
}

func program(t *testing.T, name, file string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, file)
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, complaints.String())
	}
	return string(out)
}

// psa keeps what is pushed to it, by organization and product.
type psa struct {
	mu     sync.Mutex
	counts map[string]float64
}

func (p *psa) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var line struct {
		ExternalID string `json:"external_id"`
		Product    string
		Quantity   float64
	}
	if err := json.NewDecoder(r.Body).Decode(&line); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.counts[line.ExternalID+" "+line.Product] = line.Quantity
}
