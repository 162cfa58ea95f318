package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// A token's value is in the answer that reveals it and nowhere else: not in a log, the database, a metric or any other
// answer, wherever it is presented, pasted or misspelt. Each place gets a token of its own, so that a find names it.
func TestNoSecretAnywhere(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		testCanaries(t, "")
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		testCanaries(t, postgrestest.NewDatabase(t))
	})
}

// aviary is an instance full of canaries.
type aviary struct {
	*instance
	t       *testing.T
	needles []needle
	answers bytes.Buffer // everything that was answered, but for the secrets that were revealed
	n       int
}

// needle is something that must not be found, and where it was planted.
type needle struct {
	place string
	text  []byte
}

func testCanaries(t *testing.T, databaseURL string) {
	a := &aviary{instance: serveNew(t, databaseURL, "--log-level", "debug", "--trusted-proxies", "127.0.0.1", "--outgoing-allow", "127.0.0.1"), t: t}
	a.plant("the owner's token", a.OwnerToken)
	a.plant("the system token", a.SystemToken)
	a.plantKey()
	stranger := setUp(t, filepath.Join(t.TempDir(), "other"), "") // its tokens are well-formed, and unknown here
	strange := stranger.OwnerToken
	a.plant("a token of another instance", strange)

	a.headers()
	a.routes(strange)
	a.checks(strange)
	a.collector()
	a.webhook()
	metrics, err := oneShot.Get("http://" + a.admin + "/metrics?token=" + a.canary("the query of /metrics"))
	if err != nil {
		t.Fatal(err)
	}
	a.note(metrics)
	a.look("an answer", a.answers.Bytes())
	a.search("while it runs")
	a.stop(syscall.SIGKILL)
	a.search("after a kill")
	a.start()
	a.stop(syscall.SIGTERM)
	a.search("after a stop")
	if n := strings.Count(a.logs(), "msg=request "); n < 1000 {
		t.Errorf("the log tells of %d requests: it is not one at debug level", n)
	}
	var all bytes.Buffer
	for _, n := range a.needles {
		all.Write(n.text)
	}
	found := a.find(all.Bytes())
	for _, n := range a.needles {
		if _, ok := found[n.place]; !ok {
			t.Errorf("what was planted as %s would not be found", n.place)
		}
	}
	t.Logf("%d needles", len(a.needles))
}

// plant remembers a token: its whole value, the beginning and the end of its secret part, and what Basic makes of it.
func (a *aviary) plant(place, token string) {
	body := token[strings.LastIndexByte(token, '_')+1:]
	id, part := body[:12], body[12:42]
	for _, text := range []string{token, part, part[:12], part[18:], part[6:24]} {
		a.needles = append(a.needles, needle{place, []byte(text)})
	}
	for shift := range 3 { // wherever it begins within three bytes
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + part))
		a.needles = append(a.needles, needle{place + ", in Basic", []byte(encoded[4:36])})
	}
	a.needles = append(a.needles, needle{place + ", in hex", []byte(hex.EncodeToString([]byte(part)))})
	if !strings.HasPrefix(token, "cfl_") || id == "" {
		a.t.Fatalf("%q is no token", token)
	}
}

func (a *aviary) plantKey() {
	text, err := os.ReadFile(filepath.Join(a.dir, "instance.key"))
	if err != nil {
		a.t.Fatal(err)
	}
	key := regexp.MustCompile(`[0-9a-f]{64}`).Find(text)
	raw := make([]byte, 32)
	if _, err := hex.Decode(raw, key); err != nil {
		a.t.Fatal(err)
	}
	a.needles = append(a.needles, needle{"the instance key", key}, needle{"the instance key, raw", raw}, needle{"the instance key, raw half", raw[:16]},
		needle{"the instance key in base64", []byte(base64.StdEncoding.EncodeToString(raw))})
}

// canary makes a live token for one place.
func (a *aviary) canary(place string) string {
	a.t.Helper()
	a.n++
	made, err := a.system().CreateToken(a.t.Context(), client.System, counterfoil.Draft{Name: fmt.Sprint("canary ", a.n), Permissions: []string{"counterfoil.tokens:verify", "counterfoil.usage:read"}})
	if err != nil {
		a.t.Fatal(err)
	}
	a.plant(place, made.Secret)
	return made.Secret
}

// search looks through the log, every file of the data directory but the key's, and every table.
func (a *aviary) search(when string) {
	a.t.Helper()
	a.look("the log, "+when, []byte(a.logs()))
	err := walkFiles(os.DirFS(a.dir), func(name string, _ os.FileInfo, content io.Reader) error {
		text, err := io.ReadAll(content)
		if name != "instance.key" {
			a.look("the file "+name+", "+when, text)
		}
		return err
	})
	if err != nil {
		a.t.Error(err)
	}
	if a.databaseURL == "" {
		return
	}
	conn, err := pgx.Connect(a.t.Context(), a.databaseURL)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close(a.t.Context())
	rows, err := conn.Query(a.t.Context(), "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public'")
	if err != nil {
		a.t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || !slices.Contains(tables, "events") {
		a.t.Fatal(tables, err)
	}
	for _, table := range tables {
		var dump bytes.Buffer
		if _, err := conn.PgConn().CopyTo(a.t.Context(), &dump, "COPY "+table+" TO STDOUT"); err != nil {
			a.t.Error(err)
		}
		a.look("the table "+table+", "+when, dump.Bytes())
	}
}

// look reports each place whose canary is in text, once.
func (a *aviary) look(where string, text []byte) {
	a.t.Helper()
	for place, i := range a.find(text) {
		a.t.Errorf("%s holds what was planted as %s: …%q…", where, place, text[max(0, i-120):min(len(text), i+20)])
	}
}

// find returns the places whose canaries are in text, and where. It reads text once, for all needles.
func (a *aviary) find(text []byte) map[string]int {
	const known = 4 // bytes at its start that a needle is known by
	next := func(key uint32, b byte) uint32 { return key<<8 | uint32(b) }
	hash := func(key uint32) uint32 { return key * 2654435761 >> 16 }
	var any [1 << 16]bool // by hash, whether a needle starts so
	starts := map[uint32][]needle{}
	for _, n := range a.needles {
		key := uint32(0)
		for _, b := range n.text[:known] {
			key = next(key, b)
		}
		any[hash(key)] = true
		starts[key] = append(starts[key], n)
	}
	found := map[string]int{}
	key := uint32(0)
	for i, b := range text {
		if key = next(key, b); i < known-1 || !any[hash(key)] {
			continue
		}
		at := i - (known - 1)
		for _, n := range starts[key] {
			if _, told := found[n.place]; !told && bytes.HasPrefix(text[at:], n.text) {
				found[n.place] = at
			}
		}
	}
	return found
}
