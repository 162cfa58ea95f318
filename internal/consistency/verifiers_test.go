package consistency_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest/child"
)

// verifier is a process that judges by a client.Verifier. It hears of changes from one node, by a proxy.
type verifier struct {
	binary  string
	address string
	proxy   *proxy
	process *child.Process // only the one who disturbs replaces it
	api     *client.Client
	before  [2]int // accepted and alone, of the processes before this one
}

// buildVerifier makes the program; a defect is a build tag that breaks the client.
func buildVerifier(t *testing.T, defect string) string {
	t.Helper()
	return compile(t, "verifier"+defect, "./internal/consistency/verifier", "-tags", defect)
}

// embed starts a verifier beside each of the first nodes, and waits until they go by what they remember.
func (c *cluster) embed(binary string, n int) {
	c.t.Helper()
	for i := range n {
		p, err := newProxy("127.0.0.1", c.nodes[i].address)
		if err != nil {
			c.t.Fatal(err)
		}
		v := &verifier{binary: binary, address: c.free(), proxy: p}
		v.api = client.New("http://"+v.address, "any", client.WithTimeout(10*time.Second),
			client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}))
		c.verifiers = append(c.verifiers, v)
		c.launchVerifier(v)
	}
	c.t.Cleanup(func() {
		for _, v := range c.verifiers {
			if err := v.process.Stop(syscall.SIGKILL, patience); err != nil {
				c.t.Error(err)
			}
			v.proxy.close()
		}
	})
	for _, v := range c.verifiers {
		c.awaitVerifier(v)
	}
}

func (c *cluster) launchVerifier(v *verifier) {
	log, err := os.Create(filepath.Join(c.t.TempDir(), "log"))
	if err != nil {
		c.t.Error(err)
		return
	}
	defer log.Close()
	cmd := exec.Command(v.binary, "-listen", v.address, "-server", "http://"+v.proxy.listener.Addr().String(), "-staleness", lease.String())
	cmd.Env = append(os.Environ(), "COUNTERFOIL_TOKEN="+c.SystemToken)
	cmd.Stdout, cmd.Stderr = log, log
	if v.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) awaitVerifier(v *verifier) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if trusted, _, _ := v.standing(); trusted {
			return
		}
	}
	c.t.Errorf("the verifier at %s does not go by what it remembers within %v", v.address, patience)
}

// standing is whether it goes by its memory, how many checks it has accepted, and how many of these without asking anybody.
func (v *verifier) standing() (trusted bool, accepted, alone int) {
	r, err := http.Get("http://" + v.address + "/standing")
	if err != nil {
		return false, 0, 0
	}
	defer r.Body.Close()
	_, _ = fmt.Fscan(r.Body, &trusted, &accepted, &alone)
	return trusted, accepted, alone
}

// restart ends it without a word, and starts another in its place.
func (c *cluster) restart(v *verifier) {
	_, accepted, alone := v.standing()
	v.before[0] += accepted
	v.before[1] += alone
	if err := v.process.Stop(syscall.SIGKILL, patience); err != nil {
		c.t.Error(err)
	}
	c.launchVerifier(v)
}

// faultsOfVerifiers are what happens to a verifier, or between it and its node.
var faultsOfVerifiers = map[string]func(c *cluster, v *verifier, r *rand.Rand){
	"kill": func(c *cluster, v *verifier, _ *rand.Rand) { c.restart(v) },
	"stop": func(_ *cluster, v *verifier, r *rand.Rand) {
		_ = v.process.Signal(syscall.SIGSTOP)
		time.Sleep(longer(r)) // the pause is the fault
		_ = v.process.Signal(syscall.SIGCONT)
	},
	"silence": func(_ *cluster, v *verifier, r *rand.Rand) {
		release := v.proxy.hold()
		time.Sleep(longer(r))
		release()
	},
	"cut": func(_ *cluster, v *verifier, r *rand.Rand) {
		mend := v.proxy.breakAll()
		time.Sleep(time.Duration(r.Int64N(int64(2 * lease))))
		mend()
	},
	"delay": func(_ *cluster, v *verifier, r *rand.Rand) {
		v.proxy.jitter.Store(int64(60 * time.Millisecond))
		time.Sleep(longer(r))
		v.proxy.jitter.Store(0)
	},
}
