package store

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// An entry that somebody wrote with a number and without a hash, or whose hash somebody took, has everything forgotten, and stops nobody.
func TestEntryWithoutHash(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"written": "INSERT INTO events (seq, id, organization, type, action, at, user_uuid, token, body) SELECT MAX(seq) + 1, 'evt_strange', 'org_1','tokens','token_revoked',1,'','','no JSON' FROM events",
		"taken":   "UPDATE events SET hash = NULL WHERE seq = (SELECT MAX(seq) FROM events)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lines
			s := open(t, Config{DatabaseURL: postgrestest.NewDatabase(t), Lease: MinLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			number := logged(t, s, "before")
			eventually(t, "it is applied", longest, func() bool { return s.Standing().Applied >= number })
			before, _ := s.Alive()
			s.raw(t, query)
			s.raw(t, "SELECT pg_notify($1, 'entries')", logChannel)
			eventually(t, "everything is forgotten", longest, func() bool { after, alive := s.Alive(); return alive && after > before })
			before, _ = s.Alive()
			time.Sleep(2200 * time.Millisecond) // the sequencer looks at the end once a second
			if after, _ := s.Alive(); after != before {
				t.Errorf("it goes on forgetting: epoch %d, then %d", before, after)
			}
			number = logged(t, s, "after")
			eventually(t, "it goes on", longest, func() bool { _, alive := s.Alive(); return alive && s.Standing().Applied >= number })
			if n := strings.Count(log.String(), "level=ERROR"); n > 3 {
				t.Errorf("it has logged %d errors", n)
			}
		})
	}
}
