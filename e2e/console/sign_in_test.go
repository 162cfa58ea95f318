package console

import (
	"bytes"
	"context"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"github.com/counterfoil/counterfoil/internal/mailtest"
)

func (p *person) signIn(email, password string) {
	p.t.Helper()
	p.open("/sign-in")
	p.fill("E-mail address", email)
	p.fill("Password", password)
	p.follow("button", "Sign in")
}

func (p *person) signOut() {
	p.t.Helper()
	p.click("DisclosureTriangle", eval[string](p, `document.querySelector(".menu-who").textContent`))
	p.follow("button", "Sign out")
	p.sees("You are signed out.")
}

// address is the one that a letter names.
func address(t *testing.T, l mailtest.Letter) string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(l.Raw))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`http://\S+`).FindString(string(body))
}

func TestFirstOwner(t *testing.T) {
	w := empty(t)
	p := newPerson(t, w.url)
	link, err := w.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.open(link)
	p.fill("Organization", "Acme")
	p.fill("Your name", "Ada Lovelace")
	p.fill("Your e-mail address", ada)
	p.fill("Password", "password12")
	p.follow("button", "Set up")
	p.sees("Set up Counterfoil", "one of those that are guessed first")
	p.fill("Password", password)
	p.follow("button", "Set up")
	p.at("/o/acme/tokens")
	p.sees("No tokens yet")
	p.open(link)
	p.sees("This link is not good any more")
	p.open("/")
	p.signOut()
	p.open("/o/acme/organization-tokens")
	p.at("/sign-in?next=%2Fo%2Facme%2Forganization-tokens")
	p.fill("E-mail address", ada)
	p.fill("Password", "not my password")
	p.follow("button", "Sign in")
	p.finds("alert", "")
	p.fill("Password", password)
	p.follow("button", "Sign in")
	p.at("/o/acme/organization-tokens")
}

func TestSecondFactor(t *testing.T) {
	_, p := founded(t)
	p.open("/account")
	p.follow("link", "Add a device")
	secret := eval[string](p, `document.getElementById("totp-secret").textContent`)
	code := func(ahead time.Duration) string {
		t.Helper()
		code, err := totp.GenerateCode(secret, time.Now().Add(ahead))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	p.fill("Code", "000000")
	p.follow("button", "Add the device")
	p.finds("image", "QR code of the secret below")
	if again := eval[string](p, `document.getElementById("totp-secret").textContent`); again != secret {
		t.Fatal("a wrong code changed the secret")
	}
	p.fill("Code", code(0))
	p.follow("button", "Add the device")
	codes := strings.Fields(eval[string](p, `document.getElementById("codes").textContent`))
	if len(codes) != 10 {
		t.Fatalf("there are %d recovery codes", len(codes))
	}
	eval[bool](p, `(() => { const make = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.text().then((text) => { document.body.dataset.file = text; }); return make(blob); }; return true; })()`)
	p.click("button", "Download")
	p.until("seeing the file", func(ctx context.Context) (same bool, err error) {
		err = chromedp.Evaluate(`document.body.dataset.file === `+quote(strings.Join(codes, "\n")+"\n"), &same).Do(ctx)
		return same, err
	})
	p.click("checkbox", "I have saved these codes")
	p.follow("button", "Done")
	p.sees("One-time codes Since", "10 left")
	p.signOut()

	p.signIn(ada, password)
	p.sees("One more proof")
	p.fill("Code", code(30*time.Second))
	p.follow("button", "Continue")
	p.at("/o/acme/tokens")
	p.signOut()

	p.signIn(ada, password)
	p.click("DisclosureTriangle", "Use a recovery code")
	p.fill("Recovery code", codes[3])
	p.follow("button", "Use this code")
	p.at("/o/acme/tokens")
	p.open("/account")
	p.sees("9 left")
	p.follow("link", "Create new ones")
	p.follow("button", "Create new ones")
	p.sees("These replace all that you had before.")
	p.leaving(func() { p.open("/account/totp/remove") })
	if got := p.boxes(); len(got) != 1 || got[0] != "beforeunload" {
		t.Errorf("leaving unsaved codes asked %q", got)
	}
	p.follow("button", "Remove the device")
	p.sees("Your device for one-time codes is removed.")
}

func TestPasskey(t *testing.T) {
	w, p := founded(t)
	elsewhere := newPerson(t, w.URL)
	elsewhere.open("/sign-in")
	elsewhere.sees("Passkeys do not work at 127.0.0.1:", "Open "+w.url)
	if !eval[bool](elsewhere, `document.querySelector("[data-passkey] button").disabled`) {
		t.Error("a passkey is offered where none can work")
	}
	p.do("plugging in a key", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}).Do(ctx)
		return err
	}))
	p.open("/account")
	p.sees("A passkey lets you sign in without a password")
	p.follow("link", "Add a passkey")
	p.fill("Name", "this laptop")
	p.follow("button", "Add")
	p.sees("Your passkey is added.")
	p.click("checkbox", "I have saved these codes")
	p.follow("button", "Done")
	p.sees("this laptop", "not used yet")
	p.signOut()

	p.open("/sign-in")
	p.follow("button", "Sign in with a passkey")
	p.at("/o/acme/tokens")
	p.open("/account/password")
	p.sees("Sign in with passkeys alone")
	p.follow("button", "Remove the password")
	p.sees("You sign in with a passkey from now on.", "Password None")
	p.follow("link", "Edit this laptop")
	p.fill("Name", "old laptop")
	p.follow("button", "Rename")
	p.sees("The passkey is renamed.", "old laptop")
	p.follow("link", "Edit old laptop")
	p.follow("button", "Remove")
	p.finds("alert", "") // nothing else would sign her in
}

func TestInvitation(t *testing.T) {
	w, owner := founded(t)
	bob := newPerson(t, w.url)
	bob.open(w.invite("bob@example.com", "Bob", "member"))
	bob.sees("Join Acme", "bob@example.com")
	bob.fill("Choose a password", "short")
	bob.follow("button", "Accept")
	bob.sees("at least 10 characters")
	bob.fill("Choose a password", password)
	bob.follow("button", "Accept")
	bob.at("/o/acme/tokens")
	bob.missing("Organization tokens", "All tokens")
	bob.open("/o/acme/all-tokens")
	bob.sees("That is not yours to do", "counterfoil.tokens:read")
	bob.open("/o/acme/tokens/tok_000000000000")
	bob.sees("There is nothing here")

	carl := newPerson(t, w.url)
	carl.open(w.invite("carl@example.com", "Carl", "member"))
	carl.follow("button", "Decline")
	carl.sees("You have declined the invitation.")
	owner.open(w.invite("dora@example.com", "Dora", "member"))
	owner.sees("The invitation is for dora@example.com")
}

func TestForgottenPassword(t *testing.T) {
	w, owner := founded(t)
	p := newPerson(t, w.url)
	p.open("/sign-in")
	p.follow("link", "Forgot password")
	p.fill("E-mail address", ada)
	p.follow("button", "Send the link")
	p.sees("If the address belongs to somebody here")
	p.open(address(t, w.letter()))
	p.sees("For ada@example.com")
	p.fill("New password", "another horse battery")
	p.follow("button", "Set password")
	p.sees("every session of yours has ended")
	p.signIn(ada, "another horse battery")
	p.at("/o/acme/tokens")
	owner.open("/o/acme/tokens")
	owner.at("/sign-in?next=%2Fo%2Facme%2Ftokens")
}

func TestSessions(t *testing.T) {
	w, p := founded(t)
	for range 2 {
		elsewhere := newPerson(t, w.url)
		elsewhere.signIn(ada, password)
		elsewhere.at("/o/acme/tokens")
	}
	p.open("/account")
	sessions := func(want int) {
		t.Helper()
		if got := eval[int](p, `document.querySelectorAll("[aria-labelledby=sessions] li").length`); got != want {
			t.Errorf("%d sessions are listed, want %d", got, want)
		}
	}
	sessions(3)
	p.follow("button", "End the session of Chrome on Linux")
	p.sees("The session has ended.")
	sessions(2)
	p.follow("button", "End all others")
	p.sees("1 other session ended.")
	sessions(1)
	p.follow("link", "Change")
	p.fill("Present password", password)
	p.fill("New password", "another horse battery")
	p.follow("button", "Set password")
	p.sees("Your password is set.")
	p.follow("button", "Sign out the session of A program")
	p.sees("You are signed out.")
}
