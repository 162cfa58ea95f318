package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestStoppedWhileStarting: whoever stops it before it serves is not told of a storage that fails.
func TestStoppedWhileStarting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, err bytes.Buffer
	status := run(ctx, []string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin-listen", "-"}, nil, strings.NewReader(""), &out, &err)
	if want := "counterfoil: stopped while it was starting\n"; status != failed || err.String() != want || out.Len() > 0 {
		t.Errorf("status %d, %q and %q, want %q", status, out.String(), err.String(), want)
	}
}
