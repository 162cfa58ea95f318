package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/server"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Exit statuses.
const (
	done   = 0
	failed = 1 // refused, or it did not work
	misuse = 2 // wrong usage
)

// session is what a verb has of the world besides its flags.
type session struct {
	environ  map[string]string
	in       io.Reader
	out, err io.Writer

	given  string         // the settings that this command was given, as words for serve; see givenWords
	inUsed bool           // stdin was read
	api    *client.Client // that asks; nil before dial
	system bool           // the token that asks is a system token
	org    string         // that was asked about
}

// say writes a line for people beside the answer: to stderr, so that stdout stays the answer.
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.err, format+"\n", args...) }

// line reads one line of stdin, without its end.
func (s *session) line() (string, error) {
	if s.inUsed {
		return "", misused("stdin can be read once only")
	}
	s.inUsed = true
	text, err := bufio.NewReader(io.LimitReader(s.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading stdin: %w", err)
	}
	return strings.TrimRight(text, "\r\n"), nil
}

// within notes which organization is asked about, for explained.
func (s *session) within(org string) string {
	s.org = org
	return org
}

// answer prints an answer as JSON, unless there is none.
func (s *session) answer(v any, err error) error {
	if err != nil {
		return err
	}
	return s.json(v)
}

// gone tells that something is no more, with the receipt that came in the header, if any. Its JSON has nothing else: the
// API answers nothing.
func (s *session) gone(ctx context.Context, asJSON bool, r *client.ReceiptHeader, format string, args ...any) error {
	if asJSON {
		return s.changed(ctx, struct{}{}, r)
	}
	_, err := fmt.Fprintln(s.out, printable(fmt.Sprintf(format, args...)))
	s.inForce(ctx, r)
	return err
}

// ask is a question that needs nothing looked up.
func ask(format string, args ...any) func() (string, error) {
	return func() (string, error) { return printable(fmt.Sprintf(format, args...)), nil }
}

// errRefused is the answer of a question: it was printed already.
var errRefused = errors.New("refused")

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// cli is the command line.
type cli struct {
	Serve      serveCmd      `cmd:"" group:"run" help:"Serve the API."`
	Setup      setupCmd      `cmd:"" group:"run" help:"Prepare an empty database, without a server."`
	Quickstart quickstartCmd `cmd:"" group:"run" help:"Set up an example if need be, serve it, and print a token to try."`
	Recover    recoverCmd    `cmd:"" group:"run" help:"Make a system token where none is left, without a server."`
	Key        keyCmd        `cmd:"" group:"run" help:"The instance key file."`
	Version    versionCmd    `cmd:"" group:"run" help:"Print the version."`

	Token       tokenCmd       `cmd:"" group:"use" help:"Make, see, limit and revoke tokens."`
	SystemToken systemTokenCmd `cmd:"" group:"use" help:"The same for the instance's own tokens: gateways, backends."`
	Verify      verifyCmd      `cmd:"" group:"use" help:"Ask whether a token may be used."`
	Refusal     refusalCmd     `cmd:"" group:"use" help:"What was refused, and why."`
	Receipt     receiptCmd     `cmd:"" group:"use" help:"See where a change took effect."`
	Events      eventsCmd      `cmd:"" group:"use" help:"The activity log: read, follow, export, verify."`
	Webhook     webhookCmd     `cmd:"" group:"use" help:"Addresses that events are sent to."`
	Export      exportCmd      `cmd:"" group:"use" help:"The activity log, pushed elsewhere."`

	Policy     policyCmd     `cmd:"" group:"limit" help:"Security policies: what tokens may be at all."`
	IPFilter   ipFilterCmd   `cmd:"" name:"ip-filter" group:"limit" help:"Named lists of addresses."`
	Permission permissionCmd `cmd:"" group:"limit" help:"What tokens can be good for."`
	Catalogue  catalogueCmd  `cmd:"" group:"limit" help:"The file that lists permissions and roles."`

	Member       memberCmd       `cmd:"" group:"people" help:"People in an organization."`
	Role         roleCmd         `cmd:"" group:"people" help:"Named sets of permissions."`
	Organization organizationCmd `cmd:"" group:"people" help:"Organizations: the product's customers."`
	Provider     providerCmd     `cmd:"" group:"people" help:"Providers, which manage organizations and are billed for them."`
}

// helpShown ends the parsing once --help has printed.
type helpShown struct{}

// run is the whole command, in an environment of NAME=value: it returns the exit status.
func run(ctx context.Context, args, environ []string, in io.Reader, out, err io.Writer) (status int) {
	s := &session{environ: map[string]string{}, in: in, out: out, err: err}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		s.environ[name] = value
	}
	defer func() {
		if r := recover(); r == (helpShown{}) {
			status = done
		} else if r != nil {
			panic(r)
		}
	}()
	parser := newParser(s, new(cli))
	if len(args) == 0 {
		args = []string{"--help"}
	}
	switch args[0] {
	case "help":
		args = append(args[1:len(args):len(args)], "--help")
	case "--version":
		args = append([]string{"version"}, args[1:]...)
	}
	parsed, fault := parser.Parse(args)
	if fault != nil { // of an enum the empty word is the flag that was left out
		return s.report(parsedOf(fault), misused("%s", strings.Replace(fault.Error(), `must be one of "",`, "must be one of ", 1)))
	}
	switch { // a shell's variable that is not set
	case emptied(parsed, "org"): // to the client that is the instance, and its own tokens would be meant
		return s.report(parsed, misused("--org is empty: name an organization by id or slug, or leave it out"))
	case emptied(parsed, "database-url"): // that would be SQLite, beside what is in the data directory
		return s.report(parsed, misused("--database-url is empty: give the URL of a PostgreSQL database, or leave it out for SQLite"))
	}
	if fault := s.configure(parsed); fault != nil {
		return s.report(parsed, usageError{fault})
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return s.report(parsed, parsed.Run(s))
}

// emptied reports whether a flag was given, and is empty.
func emptied(parsed *kong.Context, name string) bool {
	return slices.ContainsFunc(parsed.Path, func(p *kong.Path) bool {
		return p.Flag != nil && p.Flag.Name == name && parsed.FlagValue(p.Flag) == ""
	})
}

func newParser(s *session, grammar *cli) *kong.Kong {
	return kong.Must(grammar,
		kong.Name("counterfoil"),
		kong.Description("API tokens for any product: issue, limit, check, revoke.\n\nRun \"counterfoil quickstart\" to try it."),
		kong.Writers(s.out, s.err),
		kong.Exit(func(int) { panic(helpShown{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ValueFormatter(describe),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run the service:"},
			{Key: "use", Title: "Tokens, on a running service:"},
			{Key: "limit", Title: "Limits:"},
			{Key: "people", Title: "People:"},
			{Key: "server", Title: "The server and its answer:"},
		}),
	)
}

// parsedOf is how far the command line was understood.
func parsedOf(err error) *kong.Context {
	var parse *kong.ParseError
	if errors.As(err, &parse) {
		return parse.Context
	}
	return nil
}

// report prints what went wrong, if anything, and returns the exit status.
func (s *session) report(parsed *kong.Context, err error) int {
	switch {
	case err == nil:
		return done
	case errors.Is(err, errRefused):
		return failed
	case errors.As(err, new(usageError)), errors.As(err, new(server.SettingError)), errors.Is(err, store.ErrDatabaseURL), errors.Is(err, client.ErrBaseURL):
		s.say("counterfoil: %v", err)
		if parsed != nil {
			s.say("%s", usage(parsed))
		}
		return misuse
	}
	s.say("counterfoil: %v", s.explained(parsed, err))
	return failed
}

// usage is the line that shows how the verb is called.
func usage(parsed *kong.Context) string {
	name, node := "counterfoil", parsed.Selected()
	if node == nil { // a verb of several words that ends too early
		for _, path := range parsed.Path {
			if path.Command != nil {
				node = path.Command
			}
		}
	}
	if node == nil {
		return fmt.Sprintf("usage: %s <command> …; \"%s --help\" lists them", name, name)
	}
	return fmt.Sprintf("usage: %s %s\n\"%s --help\" says more", name, node.Summary(), node.FullPath())
}

type versionCmd struct{}

func (versionCmd) Run(s *session) error {
	_, err := fmt.Fprintln(s.out, "counterfoil "+buildVersion())
	return err
}

var version string // set with -ldflags "-X main.version=…"

// buildVersion says which counterfoil this is: what the build was told, else what the go command knows of it.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case !ok:
		return "unknown"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "devel"
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, misused("--log-level: %q is none of debug, info, warn, error", level)
	}
	switch options := (&slog.HandlerOptions{Level: l}); strings.ToLower(format) {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, misused("--log-format: %q is neither text nor json", format)
}
