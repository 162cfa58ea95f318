package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

const addon = "../../integrations/splunk/TA-counterfoil"

// splunkInput runs the add-on's input as Splunk does.
type splunkInput struct {
	t           testing.TB
	name        string
	settings    map[string]string
	checkpoints string
	splunkd     string // URI of splunkd's own API
	env         []string
}

// python is the interpreter itself: the python3 on the PATH may be a script that looks for it, and takes longer for that than the input
// does for its work.
var python = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-I", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("python3 is missing, or does not run: make deps installs it: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

func newSplunkInput(t testing.TB, settings map[string]string) *splunkInput {
	if _, err := python(); err != nil {
		t.Fatal(err)
	}
	return &splunkInput{t: t, name: "main", settings: settings, checkpoints: t.TempDir()}
}

// parameters are the settings as Splunk writes them, in a stanza or, for validation, an item.
func (in *splunkInput) parameters(root, element, name string) string {
	var b strings.Builder
	text := func(s string) string {
		var e strings.Builder
		if err := xml.EscapeText(&e, []byte(s)); err != nil {
			in.t.Fatal(err)
		}
		return e.String()
	}
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s><server_host>search1</server_host><server_uri>%s</server_uri><session_key>s3ss10n</session_key><checkpoint_dir>%s</checkpoint_dir>", root, text(in.splunkd), text(in.checkpoints))
	open, end := "", ""
	if root == "input" {
		open, end = "<configuration>", "</configuration>"
	}
	fmt.Fprintf(&b, "%s<%s name=\"%s\"><param name=\"disabled\">0</param>", open, element, name)
	for key, value := range in.settings {
		fmt.Fprintf(&b, "<param name=\"%s\">%s</param>", key, text(value))
	}
	fmt.Fprintf(&b, "</%s>%s</%s>\n", element, end, root)
	return b.String()
}

func (in *splunkInput) command(stdin string, args ...string) *exec.Cmd {
	interpreter, err := python()
	if err != nil {
		in.t.Fatal(err)
	}
	cmd := exec.Command(interpreter, append([]string{"-I", addon + "/bin/counterfoil_activity.py"}, args...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + in.checkpoints}, in.env...)
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

// run runs the input to its end.
func (in *splunkInput) run() (events []splunkEvent, stderr string, err error) {
	in.t.Helper()
	var out, told bytes.Buffer
	cmd := in.command(in.parameters("input", "stanza", "counterfoil_activity://"+in.name))
	cmd.Stdout, cmd.Stderr = &out, &told
	err = cmd.Run()
	events, whole := readSplunkStream(in.t, out.Bytes())
	if !whole {
		in.t.Errorf("the stream of an input that ended is cut: %q", tail(out.String(), 200))
	}
	return events, told.String(), err
}

// validate returns what the input says against its settings; empty: nothing.
func (in *splunkInput) validate() string {
	in.t.Helper()
	out, err := in.command(in.parameters("items", "item", in.name), "--validate-arguments").Output()
	var told struct {
		XMLName xml.Name `xml:"error"`
		Message string   `xml:"message"`
	}
	if len(out) > 0 && xml.Unmarshal(out, &told) != nil || (err == nil) != (told.Message == "") {
		in.t.Errorf("validation ended with %v and printed %q", err, out)
	}
	return told.Message
}

// killed runs the input and kills it a while after it has written so many bytes. The run may end before that. What it had
// written by then is what Splunk reads; torn says that it ends within an event.
func (in *splunkInput) killed(bytesWritten int64, while time.Duration) (events []splunkEvent, torn bool) {
	in.t.Helper()
	cmd := in.command(in.parameters("input", "stanza", "counterfoil_activity://"+in.name))
	var told bytes.Buffer
	cmd.Stderr = &told
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		in.t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = io.CopyN(&out, stdout, bytesWritten)
	alive := err == nil
	if alive {
		time.Sleep(while) // the moment of the kill is what is random here
		err = cmd.Process.Kill()
	}
	if _, copyErr := out.ReadFrom(stdout); copyErr != nil || err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrProcessDone) {
		in.t.Fatal(err, copyErr)
	}
	if err := cmd.Wait(); err != nil && !alive {
		in.t.Fatalf("the input ended with %v: %s", err, told.String())
	}
	events, _ = readSplunkStream(in.t, out.Bytes())
	return events, bytes.LastIndex(out.Bytes(), []byte("<event ")) > bytes.LastIndex(out.Bytes(), []byte("</event>"))
}

// splunkEvent is an event as Splunk takes it from the stream.
type splunkEvent struct {
	Stanza     string `xml:"stanza,attr"`
	Time       string `xml:"time"`
	Source     string `xml:"source"`
	Sourcetype string `xml:"sourcetype"`
	Data       string `xml:"data"`
}

// readSplunkStream reads every event that is whole, and whether the stream is.
func readSplunkStream(t testing.TB, raw []byte) (events []splunkEvent, whole bool) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(raw))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return events, len(raw) > 0
		}
		var broken *xml.SyntaxError
		if errors.As(err, &broken) && strings.Contains(broken.Msg, "unexpected EOF") {
			return events, false
		}
		if err != nil {
			t.Fatalf("the stream is not XML: %v: %q", err, tail(string(raw), 300))
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "event" {
			var e splunkEvent
			if err := d.DecodeElement(&e, &start); errors.As(err, &broken) {
				return events, false
			} else if err != nil {
				t.Fatal(err)
			}
			events = append(events, e)
		}
	}
}

// TestSplunkAddonLosesNothing: N12. The input is killed at random points while events are written. Every event of the log
// comes out, as it is in the log, and once where a search takes each id once.
func TestSplunkAddonLosesNothing(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	in := serveNew(t, "", "--activity-rate-per-minute", "0")
	ctx := t.Context()
	owner := in.as(in.OwnerToken)
	token, err := owner.CreateToken(ctx, "current", counterfoil.Draft{Kind: counterfoil.KindIntegration, Integration: counterfoil.IntegrationSplunk, Name: "splunk"})
	if err != nil {
		t.Fatal(err)
	}
	input := newSplunkInput(t, map[string]string{"url": "http://" + in.address, "token": token.Secret})

	const kills = 30
	writing, stop := context.WithCancel(ctx)
	written := make(chan int, 1)
	go func() {
		n := 0
		for ; writing.Err() == nil && n < 6000; n += 20 {
			writeSplunkEvents(t, owner, n)
			time.Sleep(20 * time.Millisecond) // a pace that leaves the machine to the input
		}
		written <- n
	}()
	var got []splunkEvent
	cut, most := 0, 0 // most: how many events may come again
	for i := range kills {
		limit := []int{9, 300}[i%2] // a page of 300 is more than a pipe holds, so that some are cut
		input.settings["limit"] = fmt.Sprint(limit)
		events, torn := input.killed(random.Int64N(60_000), time.Duration(random.Int64N(int64(20*time.Millisecond))))
		got, most = append(got, events...), most+limit
		if torn {
			cut++
		}
	}
	stop()
	n := <-written
	rest, told, err := input.run()
	if err != nil || told != "" {
		t.Fatalf("the last run ended with %v: %s", err, told)
	}
	got = append(got, rest...)

	log := map[string]counterfoil.Event{}
	for e, err := range owner.Events(ctx, "current", client.EventQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		log[e.ID] = e
	}
	seen := map[string]int{}
	for _, e := range got {
		seen[checkSplunkEvent(t, e, log)]++
	}
	twice := 0
	for id := range log {
		if seen[id] == 0 {
			t.Errorf("%s is in the log and never came", id)
		}
		twice += max(0, seen[id]-1)
	}
	if twice > most {
		t.Errorf("%d events came again; each kill may repeat one page, %d in all", twice, most)
	}
	if cut == 0 || n < 100 {
		t.Errorf("%d streams were cut within an event and %d events written: the test tests nothing", cut, n)
	}
	t.Logf("%d events, %d kills, %d streams cut within an event, %d events came again", len(log), kills, cut, twice)
	if again, told, err := input.run(); err != nil || told != "" || len(again) != 0 {
		t.Errorf("with nothing new a run has %d events, ends with %v and says %q", len(again), err, told)
	}
}

func writeSplunkEvents(t *testing.T, c *client.Client, first int) {
	var batch []counterfoil.EventDraft
	for i := range 20 {
		metadata := fmt.Sprintf(`{"n":%d,"text":"<é & \"😀\" \ufffe\u0001\n]]>","exact":1.10,"large":12345678901234567890,"timestamp":"2001-01-01T00:00:00Z"}`, first+i)
		batch = append(batch, counterfoil.EventDraft{Type: "devices", Action: "device_seen", ID: fmt.Sprint("seen-", first+i), Metadata: json.RawMessage(metadata)})
	}
	if _, err := c.WriteEvents(t.Context(), "current", batch); err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
}

// checkSplunkEvent compares what Splunk takes with the log, and returns the event's id.
func checkSplunkEvent(t *testing.T, got splunkEvent, log map[string]counterfoil.Event) string {
	t.Helper()
	var e counterfoil.Event
	if err := json.Unmarshal([]byte(got.Data), &e); err != nil {
		t.Fatalf("%v: %s", err, got.Data)
	}
	want, known := log[e.ID]
	wantJSON, _ := json.Marshal(want) // what was decoded encodes
	gotJSON, _ := json.Marshal(e)
	switch {
	case !known:
		t.Errorf("%s came and is not in the log", e.ID)
	case !bytes.Equal(gotJSON, wantJSON):
		t.Errorf("the event came as\n%s\nthe log has\n%s", gotJSON, wantJSON)
	case got.Time != fmt.Sprintf("%d.%06d", want.Timestamp.Unix(), want.Timestamp.Nanosecond()/1000):
		t.Errorf("the time is %s; the log has %v", got.Time, want.Timestamp)
	case !strings.Contains(got.Data, want.Timestamp.UTC().Format(`"timestamp":"2006-01-02T15:04:05.000000Z"`)):
		t.Errorf("props.conf finds no time in %s", got.Data)
	case got.Stanza != "counterfoil_activity://main" || got.Sourcetype != "counterfoil:activity" || got.Source != got.Stanza:
		t.Errorf("the event is of %q, %q, %q", got.Stanza, got.Sourcetype, got.Source)
	}
	return e.ID
}

// TestSplunkPackage: what is delivered is always the same bytes, and holds what Splunk looks for.
func TestSplunkPackage(t *testing.T) {
	build := func() []byte {
		dir := t.TempDir()
		if out, err := exec.Command("make", "-C", "../..", "splunk-addon", "SPLUNK_OUT="+dir).CombinedOutput(); err != nil {
			t.Fatalf("make splunk-addon: %v\n%s", err, out)
		}
		files, err := filepath.Glob(filepath.Join(dir, "TA-counterfoil-*.spl"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		raw, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	first := build()
	if !bytes.Equal(first, build()) {
		t.Error("two packages of the same sources differ")
	}
	list := exec.Command("tar", "tzf", "-")
	list.Stdin = bytes.NewReader(first)
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	const want = "TA-counterfoil/\nTA-counterfoil/README/\nTA-counterfoil/README/inputs.conf.spec\nTA-counterfoil/bin/\nTA-counterfoil/bin/counterfoil_activity.py\nTA-counterfoil/default/\n" +
		"TA-counterfoil/default/app.conf\nTA-counterfoil/default/inputs.conf\nTA-counterfoil/default/props.conf\nTA-counterfoil/metadata/\nTA-counterfoil/metadata/default.meta\n"
	if string(names) != want {
		t.Errorf("the package holds\n%s", names)
	}
}
