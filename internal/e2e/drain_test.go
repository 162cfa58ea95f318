package e2e_test

import (
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// balancer sends each request to a node that says it is ready, as a load balancer does that looks again and again.
type balancer struct {
	mu    sync.Mutex
	ready []*instance
	taken atomic.Int64
}

// look asks the nodes once.
func (b *balancer) look(nodes ...*instance) {
	var ready []*instance
	for _, n := range nodes {
		if n.readiness() == http.StatusOK {
			ready = append(ready, n)
		}
	}
	b.mu.Lock()
	b.ready = ready
	b.mu.Unlock()
}

func (b *balancer) node() *instance {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ready[int(b.taken.Add(1))%len(b.ready)]
}

// readiness is the status of /readyz; 0: nobody answers.
func (in *instance) readiness() int {
	once := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := once.Get("http://" + in.admin + "/readyz")
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

// While one node after the other is stopped and started again, a client behind a balancer that honours /readyz sees no
// request fail; no revocation waits for a node that has gone, and what it knew of uses is written.
func TestDrain(t *testing.T) {
	t.Parallel()
	a := serveNew(t, postgrestest.NewDatabase(t), "--drain-delay", "1500ms")
	b := &instance{t: t, dir: a.dir, databaseURL: a.databaseURL, flags: a.flags, address: freeAddress(t), admin: freeAddress(t), log: a.log + "-b",
		Organization: a.Organization, Owner: a.Owner, OwnerToken: a.OwnerToken, SystemToken: a.SystemToken}
	b.start()
	t.Cleanup(func() { b.stop(syscall.SIGTERM) })
	made := a.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})

	var way balancer
	way.look(a, b)
	var load sync.WaitGroup
	end, answered := make(chan struct{}), atomic.Int64{}
	for i := range 8 {
		load.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				node := way.node()
				var err error
				if i == 0 { // one writes
					_, err = node.system().CreateToken(t.Context(), a.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "load", Permissions: []string{"devices:read"}})
				} else {
					var v counterfoil.Verdict
					if v, err = node.system().Verify(t.Context(), counterfoil.Question{Token: made.Secret, Endpoint: "GET /api/devices/7"}); err == nil && !v.Active {
						t.Errorf("a good token is refused: %+v", v)
					}
				}
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for _, node := range []*instance{b, a} {
		other := map[*instance]*instance{a: b, b: a}[node]
		before := answered.Load()
		for answered.Load() < before+200 {
			time.Sleep(time.Millisecond)
		}
		used := a.create(t, counterfoil.Draft{Permissions: []string{"devices:read"}})
		if v, err := node.system().Verify(t.Context(), counterfoil.Question{Token: used.Secret}); err != nil || !v.Active {
			t.Fatal(v, err)
		}
		if err := node.process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for node.readiness() == http.StatusOK {
		}
		way.look(a, b)
		select {
		case <-node.process.Done():
			t.Fatal("it did not wait for the balancer")
		default:
		}
		if r, err := http.Get("http://" + node.admin + "/readyz"); err != nil {
			t.Error(err)
		} else if text, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusServiceUnavailable || string(text) != "draining: this node is being stopped\n" {
			t.Errorf("while it drains it says %d %q", r.StatusCode, text)
		}
		if v, err := node.system().Verify(t.Context(), counterfoil.Question{Token: made.Secret}); err != nil || !v.Active {
			t.Errorf("while it drains it answers %+v, %v", v, err)
		}
		<-node.process.Done()
		if err := node.process.Err(); err != nil {
			t.Errorf("it ended with %v", err)
		}
		token, err := other.system().Token(t.Context(), a.Organization.ID, used.Token.ID)
		if err != nil || token.LastUsed == nil {
			t.Errorf("the last use that the node knew is lost: %+v, %v", token.LastUsed, err)
		}
		receipt, err := other.system().RevokeToken(t.Context(), a.Organization.ID, used.Token.ID, "")
		if err != nil || !receipt.Receipt.Complete || len(receipt.Receipt.Nodes) != 1 || receipt.Receipt.Nodes[0].Fenced {
			t.Errorf("a revocation after it has gone: %+v, %v", receipt.Receipt, err)
		}
		node.start()
		way.look(a, b)
		way.mu.Lock()
		back := slices.Contains(way.ready, node)
		way.mu.Unlock()
		if !back {
			t.Error("the node that was started again is not ready")
		}
	}
	close(end)
	load.Wait()
	t.Logf("%d requests", answered.Load())
}

// A node that serves alone does not wait for balancers, nor does one that a person stops by hand.
func TestDrainAtOnce(t *testing.T) {
	t.Parallel()
	for sig, database := range map[syscall.Signal]string{syscall.SIGTERM: "", syscall.SIGINT: postgrestest.NewDatabase(t)} {
		in := serveNew(t, database, "--drain-delay", "24h")
		in.stop(sig)
	}
}
