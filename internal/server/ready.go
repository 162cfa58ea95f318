package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// readyWithin bounds a question to the database about readiness.
const readyWithin = 2 * time.Second

// serveReady answers 200 while this node can do all that it is asked, else 503 and every reason, one a line.
func (c *Core) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	reasons := c.notReady(ctx)
	if len(reasons) > 0 {
		say(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n")+"\n")
		return
	}
	say(w, http.StatusOK, "ready\n")
}

// notReady says what keeps this node from answering, each reason with what to do about it where there is something.
func (c *Core) notReady(ctx context.Context) (reasons []string) {
	if c.draining.Load() {
		reasons = append(reasons, "draining: this node is being stopped")
	}
	standing := c.Store.Standing()
	if standing.Outdated {
		return append(reasons, "version: a newer version has changed the database for good: start that one, or a later one")
	}
	if _, alive := c.Store.Alive(); !alive {
		reasons = append(reasons, fmt.Sprintf("log: it was last heard from %s ago, and the lease is %s", standing.Age.Round(time.Millisecond), standing.Lease))
	}
	if err := c.Store.Ping(ctx); err != nil {
		c.Config.Logger.Warn("not ready", "error", err)
		return append(reasons, "storage: the database does not answer; the server's log says why")
	}
	for _, check := range []func(context.Context) (string, error){c.schemaReady, c.keysReady} {
		reason, err := check(ctx)
		if err != nil {
			c.Config.Logger.Warn("not ready", "error", err)
			return append(reasons, "storage: the database does not answer; the server's log says why")
		}
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// schemaReady finds a database that was put back to an older state under a running server.
func (c *Core) schemaReady(ctx context.Context) (string, error) {
	migrated, err := c.Store.Migrated(ctx)
	if err != nil || migrated {
		return "", err
	}
	return "schema: it is older than this version needs: restart this node, which brings it up to date", nil
}

// keysReady finds an instance key that another node has and this one has not: tokens made with it are unknown here.
func (c *Core) keysReady(ctx context.Context) (string, error) {
	text, known, err := c.Store.Setting(ctx, keysSetting)
	if err != nil || !known {
		return "", err
	}
	expected := map[uint8]string{}
	if err := json.Unmarshal([]byte(text), &expected); err != nil {
		return "", fmt.Errorf("reading which instance key the database expects: %w", err)
	}
	for id := range highest(expected) {
		id++
		if want := expected[id]; want != "" && c.keys.Fingerprint(id) != want {
			return fmt.Sprintf("instance key: the database expects key %d with fingerprint %s, which this node has not: renew its file, and restart it", id, want), nil
		}
	}
	return "", nil
}
