// Package mailtest is a real SMTP server on loopback for tests: it keeps what it gets. It refuses to deliver anything.
package mailtest

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Inbox is a real SMTP server on loopback that keeps what it gets.
type Inbox struct {
	Address string
	Got     chan Letter
}

// Letter is a message as it came.
type Letter struct {
	From, To, User string
	Raw            []byte
}

// Serve starts a server that speaks STARTTLS with a certificate, and asks for the user and password if there is a user.
func Serve(t testing.TB, certificate *tls.Certificate, user, password string) *Inbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in := &Inbox{Address: l.Addr().String(), Got: make(chan Letter, 10)}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{in: in, user: user, password: password}, nil }))
	s.Domain, s.AllowInsecureAuth = "localhost", certificate == nil
	if certificate != nil {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*certificate}}
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return in
}

type visit struct {
	in             *Inbox
	user, password string
	known          bool
	letter         Letter
}

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != v.user || password != v.password {
			return smtp.ErrAuthFailed
		}
		v.known, v.letter.User = true, user
		return nil
	}), nil
}

func (v *visit) Mail(from string, _ *smtp.MailOptions) error {
	if v.user != "" && !v.known {
		return smtp.ErrAuthRequired
	}
	v.letter.From = from
	return nil
}
func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error { v.letter.To = to; return nil }
func (v *visit) Data(r io.Reader) (err error) {
	v.letter.Raw, err = io.ReadAll(r)
	v.in.Got <- v.letter
	return err
}
func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }
