package consistency_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// room is where a node lives apart: a network namespace with one link for those who ask and one for the database, and a
// time namespace with a monotonic clock of its own, as on another machine.
type room struct {
	name            string
	here, database  string // addresses on this side of the links
	node            string // the node's address
	monotonicOffset int    // seconds
}

// rooms makes one for each node, or skips the test where the machine does not allow it.
func rooms(t *testing.T) (list []*room) {
	t.Helper()
	removeAbandonedRooms()
	net := fmt.Sprintf("198.18.%d.", rand.IntN(256)) // for measurements between networks (RFC 2544)
	for i := range nodes {
		at := func(n int) string { return fmt.Sprintf("%s%d", net, 16*i+n) }
		r := &room{name: fmt.Sprintf("counterfoil-%d-%d", os.Getpid(), i), here: at(1), node: at(2), database: at(5), monotonicOffset: 500_000 * i}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", r.name).Run() })
		ask, data := r.link("a"), r.link("d")
		inside := "ip -n " + r.name + " "
		for _, command := range []string{
			"ip netns add " + r.name,
			"ip link add " + ask + " type veth peer name ask netns " + r.name,
			"ip link add " + data + " type veth peer name data netns " + r.name,
			"ip addr add " + r.here + "/30 dev " + ask, "ip link set " + ask + " up",
			"ip addr add " + r.database + "/30 dev " + data, "ip link set " + data + " up",
			inside + "addr add " + r.node + "/30 dev ask", inside + "link set ask up",
			inside + "addr add " + at(6) + "/30 dev data", inside + "link set data up",
			inside + "link set lo up",
			strings.Join(r.enter("true").Args, " "),
		} {
			if out, err := run(command); err != nil {
				t.Skipf("this machine does not let nodes live in network and time namespaces: %s: %v: %s", command, err, out)
			}
		}
		list = append(list, r)
	}
	return list
}

func run(command string) (string, error) {
	words := strings.Fields(command)
	out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// link is the name of this side of a link.
func (r *room) link(which string) string {
	return "cf" + which + strings.TrimPrefix(r.name, "counterfoil-") // 15 characters at most
}

// enter has a program run in the room, as the process that is started.
func (r *room) enter(program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", r.name, "unshare", "--time", "--monotonic", fmt.Sprint(r.monotonicOffset), program}, args...)...)
}

// cut takes the link to the database down: whatever is sent is lost without a word. The function that it returns mends it.
func (r *room) cut() (mend func(), err error) {
	if _, err := run("ip link set " + r.link("d") + " down"); err != nil {
		return nil, err
	}
	return func() { _, _ = run("ip link set " + r.link("d") + " up") }, nil
}

// removeAbandonedRooms removes those of test processes that were killed.
func removeAbandonedRooms() {
	out, _ := run("ip netns list")
	for line := range strings.Lines(out) {
		var pid, node int
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, _ := fmt.Sscanf(name, "counterfoil-%d-%d", &pid, &node); n == 2 && syscall.Kill(pid, 0) != nil {
			_ = exec.Command("ip", "netns", "del", name).Run()
		}
	}
}

// The same with nodes that live as on machines of their own, whose network to the database is lost without a word, and
// whose monotonic clocks have nothing to do with each other.
func TestNodesAreOneInNamespaces(t *testing.T) {
	in := rooms(t)
	c := newCluster(t, build(t, ""), lease, in...)
	c.knowEachOther()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := c.run(t, seed, max(14, histories(t, 200)/5), 14, func(h *history) bool {
		t.Errorf("not linearizable:\n%s", h)
		return false
	}, c.disturbed(seed, "link"))
	t.Logf("%d histories with %d operations, %d of them without an acknowledged revocation; faults: %v", r.judged, r.operations, r.lost, r.faults)
	if r.judged < r.asked*3/4 || r.faults["link"] == 0 {
		t.Errorf("%d of %d histories came to anything; faults: %v", r.judged, r.asked, r.faults)
	}
}
