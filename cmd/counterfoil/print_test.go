package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"plain", "ci, Zürich, 東京, 🙂", "ci, Zürich, 東京, 🙂"},
		{"escape", "a\x1b[31mred", "a\uFFFD[31mred"},
		{"C1 control sequence", "a\u009b31mred", "a\uFFFD31mred"},
		{"carriage return over what was printed", "bad\rgood", "bad\uFFFDgood"},
		{"newline and tab", "a\nb\tc", "a\uFFFDb\uFFFDc"},
		{"right to left", "pay\u202egnp.exe", "pay\uFFFDgnp.exe"},
		{"isolate", "\u2066x\u2069", "\uFFFDx\uFFFD"},
		{"nothing to see", "a\u200bb\u00ad", "a\uFFFDb\uFFFD"},
		{"not UTF-8", "a\xffb", "a\uFFFDb"},
		{"backspace and delete", "a\b\x7f", "a\uFFFD\uFFFD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(test.text); got != test.want {
				t.Errorf("printable(%q) = %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// TestTableKeepsItsShape: a name with a newline or a tab cannot make a row or a column of its own.
func TestTableKeepsItsShape(t *testing.T) {
	var out bytes.Buffer
	s := &session{out: &out}
	if err := s.table([]string{"NAME", "STATUS"}, [][]string{{"a\nb\tc", "active"}, {"", "paused"}}); err != nil {
		t.Fatal(err)
	}
	const want = "NAME   STATUS\na\uFFFDb\uFFFDc  active\n-      paused\n"
	if out.String() != want {
		t.Errorf("got\n%q, want\n%q", out.String(), want)
	}
}

func TestRelative(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		away time.Duration
		want string
	}{
		{0, "now"},
		{-4 * time.Second, "now"},
		{-50 * time.Second, "50 seconds ago"},
		{60 * time.Second, "in 1 minute"},
		{-90 * time.Minute, "2 hours ago"},
		{24*time.Hour - time.Millisecond, "in 24 hours"},
		{90*24*time.Hour - time.Second, "in 90 days"},
		{-400 * 24 * time.Hour, "400 days ago"},
		{1<<63 - 1, "in 106751 days"},
	} {
		if got := relative(now.Add(test.away), now); got != test.want {
			t.Errorf("%v away is %q, want %q", test.away, got, test.want)
		}
	}
}

func TestReceiptText(t *testing.T) {
	ms := func(f float64) *float64 { return &f }
	now, before := time.Now(), time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	noon := time.Date(now.Year(), now.Month(), now.Day(), 12, 2, 11, 204e6, time.Local)
	zone, _ := before.Zone()
	for _, test := range []struct {
		name    string
		receipt counterfoil.Receipt
		want    string
	}{
		{"one node", counterfoil.Receipt{RevokedAt: noon, Complete: true, Nodes: []counterfoil.ReceiptNode{{ConfirmedInMS: ms(0.4)}}},
			"Revoked 12:02:11.204. Confirmed by 1 of 1 nodes, slowest 0.4 ms."},
		{"seven", counterfoil.Receipt{RevokedAt: noon, Complete: true, Nodes: []counterfoil.ReceiptNode{{ConfirmedInMS: ms(38.4)}, {ConfirmedInMS: ms(2)}}},
			"Revoked 12:02:11.204. Confirmed by 2 of 2 nodes, slowest 38 ms."},
		{"fenced", counterfoil.Receipt{RevokedAt: noon, Complete: true, Nodes: []counterfoil.ReceiptNode{{ConfirmedInMS: ms(0.0042)}, {Fenced: true}}},
			"Revoked 12:02:11.204. Confirmed by 1 of 2 nodes, slowest 0.004 ms. 1 could not confirm and stopped answering."},
		{"not complete", counterfoil.Receipt{ID: "rcp_1", RevokedAt: noon, Nodes: []counterfoil.ReceiptNode{{}}},
			"Revoked 12:02:11.204. Confirmed by 0 of 1 nodes, slowest 0.000 ms. Not every node has confirmed yet: counterfoil receipt show rcp_1"},
		{"a verifier that is gone", counterfoil.Receipt{RevokedAt: noon, Complete: true, Nodes: []counterfoil.ReceiptNode{{ID: "node_1", ConfirmedInMS: ms(2)}, {ID: "ver_1", Fenced: true}}},
			"Revoked 12:02:11.204. Confirmed by 1 of 2 nodes and verifiers, slowest 2.0 ms. 1 could not confirm and stopped answering."},
		{"another day", counterfoil.Receipt{RevokedAt: before, Complete: true},
			"Revoked 2026-01-02 03:04:05.000 " + zone + ". In force on every node; when each confirmed is not known."},
		{"killed before it answered", counterfoil.Receipt{ID: "rcp_1", RevokedAt: noon},
			"Revoked 12:02:11.204. Not every node has confirmed yet: counterfoil receipt show rcp_1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := receiptText("Revoked", test.receipt); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestLines(t *testing.T) {
	for text, want := range map[string]int{"": 0, "\n": 0, "deny all": 1, "# a\n\ndeny all\n": 3, "a\r\nb\r\n": 2} {
		if got := lines(text); got != want {
			t.Errorf("%q has %d lines, not %d", text, got, want)
		}
	}
}
