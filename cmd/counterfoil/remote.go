package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

// remote is the flags of every verb that speaks to a server. There is none for the token itself, because every user of
// the machine could read it.
type remote struct {
	URL       *string `name:"url" placeholder:"URL" group:"server" help:"The server. Default $COUNTERFOIL_URL, or http://127.0.0.1:8080."`
	TokenFile string  `placeholder:"FILE" group:"server" help:"A file that holds the token to ask with; - for stdin. Default $COUNTERFOIL_TOKEN."`
	JSON      bool    `name:"json" group:"server" help:"Print the API's JSON."`
}

// inOrganization is the flag of verbs that work within one organization.
type inOrganization struct {
	Org string `default:"current" placeholder:"ORG" group:"server" help:"The organization's id or slug. Default: the token's own."`
}

func (o inOrganization) place() string { return o.Org }

func (inOrganization) noun() string { return "token" }

// inInstance is the place of system tokens.
type inInstance struct{}

func (inInstance) place() string { return client.System }

func (inInstance) noun() string { return "system-token" }

// place is where a token is: in an organization or in the instance.
type place interface {
	place() string
	noun() string
}

const defaultURL = "http://127.0.0.1:8080"

// dial makes the client. It does not connect yet.
func (r *remote) dial(s *session) (*client.Client, error) {
	token, err := r.token(s)
	if err != nil {
		return nil, err
	}
	s.system = strings.Contains(token, "_sys_")
	url := cmp.Or(s.env("COUNTERFOIL_URL"), defaultURL)
	if r.URL != nil {
		if url = *r.URL; url == "" { // of a variable that is not set, say; another server would be asked to do the same
			return nil, misused("--url is empty: name a server, or leave it out")
		}
	}
	s.api = client.New(url, token, client.WithUserAgent("counterfoil-cli/"+buildVersion()))
	return s.api, nil
}

func (r *remote) token(s *session) (string, error) {
	file := r.TokenFile
	if file == "" {
		token := s.env("COUNTERFOIL_TOKEN")
		file = s.env("COUNTERFOIL_TOKEN_FILE")
		switch {
		case token != "" && file != "":
			return "", misused("COUNTERFOIL_TOKEN and COUNTERFOIL_TOKEN_FILE are both set: unset one, or name a file with --token-file")
		case token != "":
			return oneToken("COUNTERFOIL_TOKEN", token)
		}
	}
	if file == "" {
		return "", misused("this needs a token to ask with: put it in the environment as COUNTERFOIL_TOKEN, or name a file that holds it with --token-file")
	}
	text, err := s.read(file)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	return oneToken(file, text)
}

// oneToken is the token that text from some place is, which may end a line. It is for a header: anything but one word would not
// get there.
func oneToken(place, text string) (string, error) {
	token := strings.TrimSpace(text)
	switch {
	case token == "":
		return "", fmt.Errorf("reading the token: %s is empty", place)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("reading the token: %s does not hold one token and nothing else", place)
	}
	return token, nil
}

func (s *session) env(name string) string { return s.environ[name] }

// longest is the size in bytes of the largest file that a verb reads.
const longest = 2 << 20

// read returns the text of a file, or of stdin for -, which only one flag can have.
func (s *session) read(file string) (string, error) {
	source := s.in
	if file == "-" {
		if s.inUsed {
			return "", misused("stdin (-) can be given once only")
		}
		s.inUsed = true
	} else {
		f, err := os.Open(file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		source = f
	}
	text, err := io.ReadAll(io.LimitReader(source, longest+1))
	if err == nil && len(text) > longest {
		err = fmt.Errorf("%s is larger than %d bytes", file, longest)
	}
	return string(text), err
}

// terminal is where a person sits: stdin is one, and what is written to it is read.
type terminal struct {
	*os.File
	in int
}

// terminal finds the person, if there is one to ask. Close it.
func (s *session) terminal() (terminal, bool) {
	in, ok := s.in.(*os.File)
	if !ok || s.inUsed || !term.IsTerminal(int(in.Fd())) {
		return terminal{}, false
	}
	out, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0) // stderr may be going elsewhere
	if err != nil {
		return terminal{}, false
	}
	return terminal{out, int(in.Fd())}, true
}

// sure is the flag of verbs that destroy something.
type sure struct {
	Yes bool `short:"y" help:"Do not ask."`
}

// confirm asks a person whether to go on. Where there is none to ask, or nothing to ask about, it goes on.
func (y sure) confirm(s *session, question func() (string, error)) error {
	if y.Yes {
		return nil
	}
	t, ok := s.terminal()
	if !ok {
		return nil
	}
	defer t.Close()
	text, err := question()
	if err != nil || text == "" {
		return err
	}
	fmt.Fprintf(t, "%s [y/N] ", text)
	answer, err := bufio.NewReader(s.in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil {
		fmt.Fprintln(t)
	}
	return errors.New("nothing was changed")
}

// mostProblems is how many problems of a request are printed.
const mostProblems = 10

// explained adds to a refusal what this command can say about it.
func (s *session) explained(parsed *kong.Context, err error) error {
	var refused *counterfoil.Error
	var answered *client.Error
	switch {
	case !errors.As(err, &refused), s.api == nil && refused.Code == counterfoil.CodeUnavailable: // here whoever asks may know why
		hint := "Is the server running there? Name another with --url or COUNTERFOIL_URL"
		if s.api == nil {
			hint = "Is PostgreSQL running there? Name another with --database-url or COUNTERFOIL_DATABASE_URL"
		}
		if errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%w\n%s", err, hint)
		}
		return err
	case refused.Code == counterfoil.CodeNotFound && refused.Detail == "Not found." && s.api != nil: // what is not there of the API's says more
		return fmt.Errorf("there is nothing at this path (%s)\nIs %s the API's address? It has no /v1, and is not that of health and metrics", refused.Code, printable(s.api.BaseURL()))
	case refused.Code == counterfoil.CodeNotFound && s.system && s.org == client.Current:
		return errors.New("a system token has no organization of its own: name one with --org")
	}
	lines := []string{printable(refused.Detail) + " (" + printable(string(refused.Code)) + ")"}
	if len(refused.Problems) > 0 {
		lines[0] = "the request was refused (" + printable(string(refused.Code)) + ")"
	}
	for i, p := range refused.Problems {
		if i == mostProblems {
			lines = append(lines, fmt.Sprintf("  and %d more", len(refused.Problems)-i))
			break
		}
		lines = append(lines, "  "+printable(strings.TrimPrefix(flagOf(parsed, p.Pointer)+": "+p.Detail, ": ")))
	}
	switch refused.Code {
	case counterfoil.CodeNotFound:
		if s.org != "" && s.org != client.Current {
			lines = append(lines, "  looked for in the organization "+printable(s.org)+": is there one of that id or slug?")
		}
	case counterfoil.CodeAlreadyCreated:
		if refused.Token != nil {
			lines = append(lines, "  it is "+refused.Token.ID)
		}
	case counterfoil.CodeWouldLockOut:
		lines = append(lines, "  with this command: --allow-lock-out")
	}
	if errors.As(err, &answered) && answered.Status >= 500 {
		lines = append(lines, "  request "+printable(answered.RequestID))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// flagOf names the flag that gave what a pointer into the request's body (RFC 6901) points at; the pointer itself where there
// is none, or parsed is nil. A flag that is not called as its member has the tag member. Those of the server give none: --url
// is no member url.
func flagOf(parsed *kong.Context, pointer string) string {
	member, _, _ := strings.Cut(strings.TrimPrefix(pointer, "/"), "/")
	name := strings.ReplaceAll(member, "_", "-")
	if parsed == nil || name == "" {
		return pointer
	}
	for _, f := range parsed.Flags() {
		if f.Group != nil && f.Group.Key == "server" {
			continue
		}
		if f.Tag.Get("member") == member {
			return "--" + f.Name
		}
		for _, end := range []string{"", "s", "-in", "-at", "-seconds"} { // permissions, expires_in, grace_seconds
			if f.Name+end == name {
				return "--" + f.Name
			}
		}
	}
	return pointer
}
