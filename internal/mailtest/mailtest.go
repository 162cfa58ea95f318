// Package mailtest is a real SMTP server on loopback for tests: it keeps what it gets. It refuses to deliver anything.
package mailtest

import (
	"crypto/tls"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Inbox is a real SMTP server on loopback that keeps what it gets.
type Inbox struct {
	Address string
	Got     chan Letter // room for 100

	t              testing.TB
	certificate    *tls.Certificate
	user, password string
	server         *smtp.Server // nil while it is away
	refuses        atomic.Bool
}

// Letter is a message as it came.
type Letter struct {
	From, To, User string
	Raw            []byte
}

// Serve starts a server that speaks STARTTLS with a certificate, and asks for the user and password if there is a user.
func Serve(t testing.TB, certificate *tls.Certificate, user, password string) *Inbox {
	t.Helper()
	in := &Inbox{Address: "127.0.0.1:0", Got: make(chan Letter, 100), t: t, certificate: certificate, user: user, password: password}
	in.Return()
	t.Cleanup(in.Leave)
	return in
}

// Return starts the server again, at the same address, after Leave.
func (in *Inbox) Return() {
	in.t.Helper()
	l, err := net.Listen("tcp", in.Address)
	if err != nil {
		in.t.Fatal(err)
	}
	in.Address = l.Addr().String()
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &visit{in: in, user: in.user, password: in.password}, nil
	}))
	s.Domain, s.AllowInsecureAuth = "localhost", in.certificate == nil
	if in.certificate != nil {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*in.certificate}}
	}
	in.server = s
	go s.Serve(l)
}

// Leave makes the server go: nobody listens at its address. It does nothing while the server is away.
func (in *Inbox) Leave() {
	if in.server != nil {
		in.server.Close()
		in.server = nil
	}
}

// Refuse makes the server answer every message with a temporary error, or take them again.
func (in *Inbox) Refuse(every bool) { in.refuses.Store(every) }

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
	if v.in.refuses.Load() {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}
	}
	v.letter.Raw, err = io.ReadAll(r)
	v.in.Got <- v.letter
	return err
}
func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }
