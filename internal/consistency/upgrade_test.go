package consistency_test

import (
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/counterfoil/counterfoil"
)

// A rolling upgrade: one node after the other is ended and comes back as the next version, which has migrations and a kind
// of log entry that the version before does not know. All the while everybody makes, pauses, resumes, revokes and checks
// tokens at all of them. Nothing breaks a promise, and nothing fails but at the node that is being replaced.
func TestRollingUpgrade(t *testing.T) {
	c := newCluster(t, build(t, ""), 5*time.Second) // a node that the machine gives no time for a moment is no failure
	next := buildNext(t)
	c.knowEachOther()
	for i := range c.nodes {
		r := c.run(t, rand.Uint64(), 14, 14, func(h *history) bool {
			t.Errorf("with %d of the next version, not linearizable:\n%s", i, h)
			return false
		}, func(context.Context) map[string]int {
			if i == 1 { // in the middle of it one of the version before starts again, on a schema that it does not know
				c.replace(i, c.nodes[i].binary)
			}
			c.replace(i, next)
			return nil
		})
		for _, f := range r.failed {
			if f.node != i {
				t.Errorf("while node %d was replaced, at node %d: %s: %v", i, f.node, f.what, f.err)
			}
		}
		t.Logf("node %d is of the next version: %d histories with %d operations, %d failed", i, r.judged, r.operations, len(r.failed))
		if r.judged < r.asked*3/4 {
			t.Errorf("only %d of %d histories came to anything", r.judged, r.asked)
		}
	}
	c.knowEachOther()
	c.expectReceipt()
	c.expectNextSchema()
}

// replace ends a node as an operator does, and starts the given program in its place.
func (c *cluster) replace(i int, binary string) {
	n := c.nodes[i]
	p := n.running()
	if err := p.Stop(syscall.SIGTERM, patience); err != nil {
		c.t.Error(err)
	}
	if err := p.Err(); err != nil {
		text, _ := os.ReadFile(n.log)
		c.t.Errorf("node %d did not end well: %v\n%s", i, err, text)
	}
	n.binary = binary
	c.launch(i)
	c.await(i)
}

// expectReceipt revokes a token and expects to be told of the nodes that are there, and of no other; and every node to say
// the same of it from then on, also when the one that answered is killed.
func (c *cluster) expectReceipt() {
	api := c.nodes[0].api
	made, err := api.CreateToken(c.t.Context(), c.Organization.ID, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "last", Permissions: []string{"devices:read"}})
	if err != nil {
		c.t.Fatal(err)
	}
	gone, err := api.RevokeToken(c.t.Context(), c.Organization.ID, made.Token.ID, "")
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.nodes[0].running().Stop(syscall.SIGKILL, patience); err != nil {
		c.t.Error(err)
	}
	if r := gone.Receipt; !r.Complete || len(r.Nodes) != nodes {
		c.t.Errorf("the receipt is %+v", r)
	}
	for _, n := range c.nodes[1:] {
		r, err := n.api.Receipt(c.t.Context(), gone.Receipt.ID)
		if err != nil || !reflect.DeepEqual(r, gone.Receipt) {
			c.t.Errorf("another node says %+v, %v, and not %+v", r, err, gone.Receipt)
		}
		again, err := n.api.RevokeToken(c.t.Context(), c.Organization.ID, made.Token.ID, "")
		if err != nil || !reflect.DeepEqual(again.Receipt, gone.Receipt) {
			c.t.Errorf("revoked again at another node it says %+v, %v, and not %+v", again.Receipt, err, gone.Receipt)
		}
	}
}

// expectNextSchema is that the upgrade was one: the next version's column is there.
func (c *cluster) expectNextSchema() {
	conn, err := pgx.Connect(c.t.Context(), c.database.URL())
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(c.t.Context())
	var origin string
	if err := conn.QueryRow(c.t.Context(), "SELECT origin FROM tokens LIMIT 1").Scan(&origin); err != nil {
		c.t.Error(err)
	}
	var strange int
	if err := conn.QueryRow(c.t.Context(), `SELECT COUNT(*) FROM events WHERE body LIKE '%"kind":"credential"%'`).Scan(&strange); err != nil || strange == 0 {
		c.t.Errorf("%d entries that the version before does not know, %v", strange, err)
	}
}
