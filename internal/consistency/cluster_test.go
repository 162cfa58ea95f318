package consistency_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
	"github.com/counterfoil/counterfoil/internal/postgrestest/child"
)

const (
	nodes    = 3
	lease    = time.Second
	patience = 60 * time.Second
)

// cluster is three processes on one database, each behind a proxy of its own, and the verifiers that they feed.
type cluster struct {
	t        *testing.T
	database *postgrestest.Server
	lease    time.Duration
	dir      string
	nodes    [nodes]*node
	start    time.Time

	verifiers []*verifier

	Organization struct{ ID string }
	SystemToken  string `json:"system_token"`
}

type node struct {
	binary  string // to be started next
	room    *room  // nil: it lives here
	address string
	admin   string
	url     string // of the database, by the proxy
	log     string
	proxy   *proxy
	api     *client.Client

	mu      sync.Mutex
	process *child.Process
}

// newCluster starts the nodes, in rooms if there are any.
func newCluster(t *testing.T, binary string, lease time.Duration, rooms ...*room) *cluster {
	t.Helper()
	c := &cluster{t: t, lease: lease, dir: filepath.Join(t.TempDir(), "data"), start: time.Now(),
		database: postgrestest.Start(t, postgrestest.Options{Settings: map[string]string{"max_connections": "150"}})}
	out, err := c.command(nil, binary, c.database.URL(), "setup", "--json", "--organization", "Acme", "--email", "owner@acme.example", "--catalogue", "../../examples/catalogue.yaml").Output()
	if err == nil {
		err = json.Unmarshal(out, c)
	}
	if err != nil {
		t.Fatalf("setup: %v\n%s", err, out)
	}
	for i := range c.nodes {
		var in *room
		if len(rooms) > 0 {
			in = rooms[i]
		}
		c.nodes[i] = c.newNode(i, binary, in)
		c.launch(i)
	}
	t.Cleanup(c.stop)
	for i := range c.nodes {
		c.await(i)
	}
	return c
}

func (c *cluster) command(in *room, binary, database, verb string, args ...string) *exec.Cmd {
	args = append([]string{verb, "--data", c.dir}, args...)
	cmd := exec.Command(binary, args...)
	if in != nil {
		cmd = in.enter(binary, args...)
	}
	cmd.Env = append(os.Environ(), "COUNTERFOIL_DATABASE_URL="+database)
	return cmd
}

func (c *cluster) newNode(i int, binary string, in *room) *node {
	there, err := url.Parse(c.database.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	n := &node{binary: binary, room: in, log: filepath.Join(c.t.TempDir(), "log"+strconv.Itoa(i))}
	host := "127.0.0.1"
	if in != nil {
		host = in.database
		n.address, n.admin = in.node+":8080", in.node+":8081"
	} else {
		n.address, n.admin = c.free(), c.free()
	}
	if n.proxy, err = newProxy(host, there.Host); err != nil {
		c.t.Fatal(err)
	}
	there.Host = n.proxy.listener.Addr().String()
	n.url = there.String()
	n.api = client.New("http://"+n.address, c.SystemToken, client.WithTimeout(10*time.Second),
		client.WithHTTPClient(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}))
	return n
}

// free finds an address for a node, which is to have it again after it was away: a port below those that systems hand out, and
// on Linux, where all of 127.0.0.0/8 is this machine, a host of its own, which no other test listens on.
func (c *cluster) free() string {
	for range 1000 {
		host := "127.0.0.1"
		if runtime.GOOS == "linux" {
			host = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
		}
		address := net.JoinHostPort(host, strconv.Itoa(10_000+rand.IntN(20_000)))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	c.t.Fatal("no port is free")
	return ""
}

func (c *cluster) launch(i int) {
	n := c.nodes[i]
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer log.Close()
	cmd := c.command(n.room, n.binary, n.url, "serve", "--lease", c.lease.String(), "--listen", n.address, "--admin-listen", n.admin)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		c.t.Error(err)
		return
	}
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
}

// await waits until a node is ready; one that ended because the database was away is started again.
func (c *cluster) await(i int) {
	n := c.nodes[i]
	once := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if r, err := once.Get("http://" + n.admin + "/readyz"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-n.running().Done():
			c.launch(i)
		default:
		}
	}
	text, _ := os.ReadFile(n.log)
	c.t.Errorf("node %d is not ready within %v\n%s", i, patience, text[max(0, len(text)-2000):])
}

// knowEachOther waits until every node's metrics say how many there are, and that its lease is fresh.
func (c *cluster) knowEachOther() {
	wanted := []*regexp.Regexp{regexp.MustCompile(`(?m)^counterfoil_nodes 3$`), regexp.MustCompile(`(?m)^counterfoil_lease_age_seconds 0\.`),
		regexp.MustCompile(`(?m)^counterfoil_log_applied [1-9]`)}
	for _, n := range c.nodes {
		text := ""
		missing := func(r *regexp.Regexp) bool { return !r.MatchString(text) }
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if r, err := http.Get("http://" + n.admin + "/metrics"); err == nil {
				b, _ := io.ReadAll(r.Body)
				r.Body.Close()
				text = string(b)
			}
			if !slices.ContainsFunc(wanted, missing) {
				break
			}
			if time.Now().After(deadline) {
				c.t.Fatalf("a node's metrics are\n%s", text)
			}
		}
	}
}

func (n *node) running() *child.Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		if err := n.running().Stop(syscall.SIGKILL, patience); err != nil {
			c.t.Error(err)
		}
		n.proxy.close()
	}
}

// door is where checks are asked: the nodes come first, then the verifiers.
func (c *cluster) door(n int) *client.Client {
	if n < nodes {
		return c.nodes[n].api
	}
	return c.verifiers[n-nodes].api
}

func (c *cluster) doors() int { return nodes + len(c.verifiers) }

func (c *cluster) now() time.Duration { return time.Since(c.start) }
