package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// Exit statuses.
const (
	done   = 0
	failed = 1 // refused, or it did not work
	misuse = 2 // wrong usage
)

// session is what a verb has of the world besides its flags.
type session struct {
	lookupEnv func(string) (string, bool)
	in        io.Reader
	out, err  io.Writer
}

// say writes a line for people beside the answer: to stderr, so that stdout stays the answer.
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.err, format+"\n", args...) }

// usageError is a mistake in how the command was called.
type usageError struct{ error }

func misused(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// cli is the command line.
type cli struct {
	Serve      serveCmd      `cmd:"" group:"run" help:"Serve the API."`
	Setup      setupCmd      `cmd:"" group:"run" help:"Prepare an empty database, without a server."`
	Quickstart quickstartCmd `cmd:"" group:"run" help:"Set up an example if need be, serve it, and print a token to try."`
	Version    versionCmd    `cmd:"" group:"run" help:"Print the version."`
}

// helpShown ends the parsing once --help has printed.
type helpShown struct{}

// run is the whole command: it returns the exit status.
func run(ctx context.Context, args []string, lookupEnv func(string) (string, bool), in io.Reader, out, err io.Writer) (status int) {
	s := &session{lookupEnv: lookupEnv, in: in, out: out, err: err}
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
	parsed, fault := parser.Parse(args)
	if fault != nil {
		return s.report(parsedOf(fault), usageError{fault})
	}
	if fault := configure(parsed, lookupEnv); fault != nil {
		return s.report(parsed, usageError{fault})
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	return s.report(parsed, parsed.Run(s))
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
	case errors.As(err, new(usageError)):
		s.say("counterfoil: %v", err)
		if parsed != nil {
			s.say("%s", usage(parsed))
		}
		return misuse
	}
	s.say("counterfoil: %v", err)
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
