package identity

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
)

func TestThrottle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	th := newThrottle(func() time.Time { return now })
	a, b := limit{"a", 3, time.Minute}, limit{"b", 100, time.Second}
	takes := func(want int, limits ...limit) {
		t.Helper()
		n := 0
		for ; n < 10; n++ {
			if th.take(limits...) != nil {
				break
			}
		}
		if n != want {
			t.Errorf("%d tries passed, want %d", n, want)
		}
	}
	takes(3, a, b)
	takes(0, a)
	takes(10, b)
	now = now.Add(59 * time.Second)
	takes(0, a, b)
	now = now.Add(time.Second)
	takes(1, a, b)
	now = now.Add(2 * time.Minute)
	takes(2, a)
	th.giveBack(a)
	takes(1, a)
	now = now.Add(time.Hour)
	takes(3, a)
	th.giveBack(limit{"c", 1, time.Minute})
	takes(1, limit{"c", 1, time.Minute})

	err := th.take(a)
	if e, ok := err.(*counterfoil.Error); !ok || e.Code != counterfoil.CodeRateLimited || e.Detail != "Too many tries. Wait 60 seconds, then try again." {
		t.Errorf("refused as %v", err)
	}
}

func TestThrottleForgets(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	th := newThrottle(func() time.Time { return now })
	for n := range throttleKeys + 10 {
		if err := th.take(limit{strconv.Itoa(n), 10, time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(th.busy); n > throttleKeys {
		t.Errorf("it remembers %d keys", n)
	}
}

func TestAddressLimit(t *testing.T) {
	key := func(s string) string {
		ip, _ := netip.ParseAddr(s)
		return addressLimit("x", ip, 1, time.Second).key
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.2", false}, {"192.0.2.1", "::ffff:192.0.2.1", true},
		{"2001:db8::1", "2001:db8::ffff:2", true}, {"2001:db8::1", "2001:db8:0:1::1", false}, {"fe80::1%eth0", "fe80::1", true}, {"", "192.0.2.1", false},
	} {
		if got := key(c.a) == key(c.b); got != c.same {
			t.Errorf("%q and %q share a limit: %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

func TestPasswordProblem(t *testing.T) {
	about := []string{"counterfoil", "", "ann.lee@example.com", "Acme & Sons", "acme-sons", "李雷"}
	for password, good := range map[string]bool{
		"correct horse battery": true, "päßwörter aus wörtern": true, "日本語のパスワードです": true, "😀😁😂🤣😃😄😅😆😉😊": true, "acme is a good place": true,
		"annlee was here": true, "          x": true,
		"short": false, "123456789": false, "日本語のパスワード": false, "aaaaaaaaaaaa": false, "ääääääääääää": false, "1234567890": false, "Password123": false, "QWERTYUIOP": false,
		"ann.lee@example.com": false, "ANN.LEE@example.com": false, "ann.lee": false, "Ann.Lee-2026": false, "1annlee1234": false, "AcmeSons2026!": false, "acme & sons": false,
		"Counterfoil1!": false, "": false,
	} {
		if err := passwordProblem(password, about...); (err == nil) != good {
			t.Errorf("%q: %v, want good %v", password, err, good)
		}
	}
	long := ""
	for len(long) < 256 {
		long += "ab"
	}
	if err := passwordProblem(long); err != nil {
		t.Errorf("256 bytes: %v", err)
	}
	if passwordProblem(long+"c") == nil {
		t.Error("257 bytes are accepted")
	}
}

func TestParseHash(t *testing.T) {
	good := hash("correct horse", cost{64, 1, 1})
	if ok, stale := matches(good, "correct horse"); !ok || !stale {
		t.Errorf("its own password matches: %v, stale: %v", ok, stale)
	}
	if ok, _ := matches(good, "correct horsf"); ok {
		t.Error("another password matches")
	}
	for _, bad := range []string{"", "x", "$argon2id$v=19$m=64,t=1,p=1$$", "$argon2i" + good[9:], good[:len(good)-30], "$argon2id$v=19$m=99999999,t=1,p=1$YWFhYWFhYWFhYWFhYWFhYQ$" + "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE",
		"$argon2id$v=19$m=64,t=0,p=1$YWFhYWFhYWFhYWFhYWFhYQ$YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE", "$argon2id$v=16" + good[14:]} {
		if ok, _ := matches(bad, "correct horse"); ok {
			t.Errorf("%q matches", bad)
		}
		if _, _, _, err := parseHash(bad); err == nil {
			t.Errorf("%q is parsed", bad)
		}
	}
}
