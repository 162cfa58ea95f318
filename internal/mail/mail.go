// Package mail sends short plain texts by SMTP. It refuses to be a template engine, and lets nothing into a message that
// would be more than text: no second header, no control or direction character.
package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
)

// Config says how mail is sent.
type Config struct {
	Server       string // host:port; the port may be left out
	Security     string // starttls (default), tls or none; none only within one machine or network that is trusted
	User         string // empty: the server asks for no sign-in
	PasswordFile string // a file that holds the password
	From         string // an address, also with a name: Counterfoil <counterfoil@example.com>
}

// Sender is safe for concurrent use.
type Sender struct {
	host, from string
	domain     string // of the sender's address
	options    []mail.Option
}

// Message is a text to one person.
type Message struct {
	To, Subject, Body string
	// ID names the message: when it is sent twice, readers see that it is the same. Letters, digits and full stops; empty:
	// a random one.
	ID string
}

const timeout = 20 * time.Second

// New makes a Sender. It connects to nothing yet.
func New(c Config) (*Sender, error) {
	if c.From == "" {
		return nil, errors.New("mail: name whom mail comes from (smtp_from)")
	}
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender %q is not an e-mail address such as tokens@example.com", c.From)
	}
	host, portText, err := net.SplitHostPort(c.Server)
	if err != nil {
		host, portText = c.Server, ""
	}
	if host == "" {
		return nil, errors.New("mail: name the SMTP server as host:port")
	}
	s := &Sender{host: host, from: c.From, domain: from.Address[strings.LastIndexByte(from.Address, '@')+1:], options: []mail.Option{mail.WithTimeout(timeout)}}
	port := 587
	switch c.Security {
	case "", "starttls":
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		port = 465
		s.options = append(s.options, mail.WithSSL())
	case "none":
		port = 25
		s.options = append(s.options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("mail: the security %q is not starttls, tls or none", c.Security)
	}
	if portText != "" {
		if port, err = strconv.Atoi(portText); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("mail: %q is not a port", portText)
		}
	}
	s.options = append(s.options, mail.WithPort(port))
	if c.User != "" {
		password, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("mail: reading the password: %w", err)
		}
		auth := mail.SMTPAuthAutoDiscover
		if c.Security == "none" {
			auth = mail.SMTPAuthPlainNoEnc // the operator said that the way is trusted
		}
		s.options = append(s.options, mail.WithSMTPAuth(auth), mail.WithUsername(c.User), mail.WithPassword(strings.TrimRight(string(password), "\r\n")))
	}
	return s, nil
}

// Send hands a message to the server.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg := mail.NewMsg()
	if err := msg.From(s.from); err != nil {
		return fmt.Errorf("mail: the sender: %w", err)
	}
	if err := msg.To(m.To); err != nil {
		return errors.New("mail: the recipient is not an e-mail address")
	}
	msg.Subject(Line(m.Subject))
	msg.SetDate()
	if m.ID == "" {
		msg.SetMessageID()
	} else {
		msg.SetMessageIDWithValue(m.ID + "@" + s.domain)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no holiday notes
	msg.SetBodyString(mail.TypeTextPlain, text(m.Body))
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil && !msg.IsDelivered() {
		return fmt.Errorf("mail: sending through %s: %w", s.host, err)
	}
	return nil
}

// Line makes one line of printable text of at most 200 characters of what others wrote, such as a name.
func Line(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > 200 {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case printable(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// text keeps the line ends of a body.
func text(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || printable(r) {
			return r
		}
		return -1
	}, s)
}

func printable(r rune) bool {
	return !unicode.IsControl(r) && !unicode.Is(unicode.Bidi_Control, r) && r != '\u2028' && r != '\u2029' && r != '\ufeff' && r != unicode.ReplacementChar
}
