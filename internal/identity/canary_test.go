package identity_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

// TestNothingIsKeptInTheOpen does everything once, well and badly, and looks for each secret in every byte of the data
// directory, its log of writes included, in the log and in the events.
func TestNothingIsKeptInTheOpen(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, store.Config{Dir: dir})
	var log bytes.Buffer
	w.config.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	in := w.mails()
	secrets := map[string]string{"a password": good, "another password": other, "a wrong password": "wrong password canary"}
	acme := w.organization("Acme")
	ann := w.member(acme, "ann@example.com", counterfoil.MemberActive)
	w.password(ann.UserID, good)
	out, err := w.SignIn(t.Context(), "ann@example.com", good, home)
	if err != nil {
		t.Fatal(err)
	}
	s := w.session(out.Value)
	secrets["a session"] = out.Value
	_, _ = w.SignIn(t.Context(), "ann@example.com", secrets["a wrong password"], home)
	e, err := w.BeginTOTP(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	codes, err := w.FinishTOTP(t.Context(), s, e.Ticket, w.code(e.Secret), home)
	if err != nil {
		t.Fatal(err)
	}
	secrets["a device's secret"], secrets["an enrolment"], secrets["a recovery code"] = e.Secret, e.Ticket, codes[0]
	half, err := w.SignIn(t.Context(), "ann@example.com", good, home)
	if err != nil {
		t.Fatal(err)
	}
	secrets["a half-done sign-in"] = half.Ticket
	_, _ = w.SignInRecovery(t.Context(), half.Ticket, "wrong-canary", home)
	secrets["a wrong code"] = "wrong-canary"
	if _, err := w.SignInRecovery(t.Context(), half.Ticket, codes[0], home); err != nil {
		t.Fatal(err)
	}
	c, err := w.BeginPasskey(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	secrets["a ceremony"] = c.Ticket
	if err := w.RequestReset(t.Context(), "ann@example.com", home); err != nil {
		t.Fatal(err)
	}
	_, body := w.letter(in)
	w.Close()
	secrets["a mailed link"] = w.ticketIn(body, "/reset")
	if err := w.ResetPassword(t.Context(), secrets["a mailed link"], other, home); err != nil {
		t.Fatal(err)
	}
	invitation, err := w.registry.Invite(t.Context(), admin, acme, counterfoil.MemberDraft{Email: "bob@example.com", Name: "Bob"})
	if err != nil {
		t.Fatal(err)
	}
	enter, err := w.registry.CreateConsoleSession(t.Context(), admin, acme, counterfoil.ConsoleSessionDraft{Member: ann.ID})
	if err != nil {
		t.Fatal(err)
	}
	setup, err := w.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets["an invitation"], secrets["a console session"], secrets["a set-up link"] = w.ticketIn(invitation.URL, "/invitation"), w.ticketIn(enter.URL, "/enter"), w.ticketIn(setup, "/setup")

	var haystack bytes.Buffer
	haystack.Write(log.Bytes())
	list, err := w.store.Follow(t.Context(), 0, 10_000)
	if err != nil || len(list) < 8 {
		t.Fatalf("%d events (%v)", len(list), err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		haystack.Write(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(haystack.String(), "ann@example.com") || !strings.Contains(haystack.String(), "device_enrolled") {
		t.Fatal("what is searched is not what was written")
	}
	for what, secret := range secrets {
		for form, text := range map[string]string{"": secret, " in upper case": strings.ToUpper(secret), " without its hyphen": strings.ReplaceAll(secret, "-", "")} {
			if len(text) < 8 || strings.Contains(haystack.String(), text) {
				t.Errorf("%s%s is kept", what, form)
			}
		}
	}
}
