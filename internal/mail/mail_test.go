package mail_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/mail"
	"github.com/counterfoil/counterfoil/internal/mailtest"
)

func send(t *testing.T, c mail.Config, m mail.Message) error {
	t.Helper()
	s, err := mail.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return s.Send(ctx, m)
}

func TestSend(t *testing.T) {
	in := mailtest.Serve(t, nil, "", "")
	c := mail.Config{Server: in.Address, Security: "none", From: "Counterfoil <book@example.com>"}
	for name, m := range map[string]struct{ message, want mail.Message }{
		"plain": {mail.Message{To: "ann@example.com", Subject: "Reset your password", Body: "Hello\n\nhttps://x.example/reset?ticket=abc\n"},
			mail.Message{To: "ann@example.com", Subject: "Reset your password", Body: "Hello\n\nhttps://x.example/reset?ticket=abc\n"}},
		"a header in the subject": {mail.Message{To: "ann@example.com", Subject: "Hi\r\nBcc: eve@example.com\r\n\r\nbody", Body: "x"},
			mail.Message{To: "ann@example.com", Subject: "Hi  Bcc: eve@example.com    body", Body: "x"}},
		"direction, control and not English": {mail.Message{To: "ann@example.com", Subject: "Einladung von \u202eÄrger\u2066\x1b[31m", Body: "Grüße,\n\u202eevil\u202c \x07\x1b[2J"},
			mail.Message{To: "ann@example.com", Subject: "Einladung von Ärger[31m", Body: "Grüße,\nevil [2J"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := send(t, c, m.message); err != nil {
				t.Fatal(err)
			}
			l := <-in.Got
			if l.From != "book@example.com" || l.To != m.want.To {
				t.Errorf("from %q to %q", l.From, l.To)
			}
			parsed, err := netmail.ReadMessage(bytes.NewReader(l.Raw))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get("Subject"))
			if err != nil || subject != m.want.Subject {
				t.Errorf("subject %q (%v), want %q", subject, err, m.want.Subject)
			}
			if parsed.Header.Get("Bcc") != "" || !strings.HasPrefix(parsed.Header.Get("Content-Type"), "text/plain") {
				t.Errorf("headers %v", parsed.Header)
			}
			body, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
			if got := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || strings.TrimRight(got, "\n") != strings.TrimRight(m.want.Body, "\n") {
				t.Errorf("body %q (%v), want %q", got, err, m.want.Body)
			}
		})
	}
	for _, to := range []string{"", "ann", "ann@example.com, eve@example.com", "ann@example.com\r\nBcc: eve@example.com"} {
		if err := send(t, c, mail.Message{To: to, Subject: "x", Body: "x"}); err == nil || strings.Contains(err.Error(), "eve") {
			t.Errorf("sent to %q: %v", to, err)
		}
	}
}

func TestSendSignsInAndEncrypts(t *testing.T) {
	certificate := selfSigned(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("geheim-7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mail.Message{To: "ann@example.com", Subject: "x", Body: "x"}
	open := mailtest.Serve(t, nil, "book", "geheim-7")
	c := mail.Config{Server: open.Address, Security: "none", From: "book@example.com", User: "book", PasswordFile: password}
	if err := send(t, c, m); err != nil {
		t.Fatal(err)
	}
	if l := <-open.Got; l.User != "book" {
		t.Errorf("signed in as %q", l.User)
	}
	c.Security = "starttls"
	if err := send(t, c, m); err == nil {
		t.Error("a server without STARTTLS is sent to in the open")
	}
	c.Server = mailtest.Serve(t, &certificate, "book", "geheim-7").Address
	if err := send(t, c, m); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	c.Server, c.Security = open.Address, "none"
	if err := os.WriteFile(password, []byte("wrong-word"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := send(t, c, m); err == nil || strings.Contains(err.Error(), "wrong-word") {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for want, c := range map[string]mail.Config{
		"sender":    {Server: "localhost:25", From: "nobody"},
		"smtp_from": {Server: "localhost:25"},
		"server":    {From: "book@example.com"},
		"security":  {Server: "localhost", From: "book@example.com", Security: "ssl"},
		"port":      {Server: "localhost:x", From: "book@example.com"},
		"password":  {Server: "localhost", From: "book@example.com", User: "book", PasswordFile: filepath.Join(t.TempDir(), "none")},
	} {
		if _, err := mail.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", c, err, want)
		}
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
