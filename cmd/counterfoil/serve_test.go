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

// TestInsecure: a link that no browser signs in by is given with a word of that.
func TestInsecure(t *testing.T) {
	for link, want := range map[string]bool{
		"http://localhost:8080/setup?ticket=x":          false,
		"http://127.0.0.1:8080/setup?ticket=x":          false,
		"http://[::1]:8080/setup?ticket=x":              false,
		"https://tokens.example.com/setup?ticket=x":     false,
		"http://10.0.0.11:8080/setup?ticket=x":          true,
		"http://tokens.example.com:8080/setup?ticket=x": true,
	} {
		if got := insecure(link); (got != "") != want {
			t.Errorf("of %s it is said %q", link, got)
		}
	}
}
