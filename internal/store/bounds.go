package store

import (
	"fmt"
	"strings"
	"time"
)

// leastHold is what a lease is at least, for whom it takes to end one that only the database can end: a node may be slow
// between two statements, on a machine that is busy, and nothing is wrong.
const leastHold = 2 * time.Second

// bounds is what has PostgreSQL end the session of a transaction whose node is gone, stopped or cut off: such a one holds
// locks that all others wait for, and its connection stays open until the system gives it up, after hours by default. It is
// the columns of a SELECT within the transaction and ends with it, so that a pooler gives the session on as it was.
//
// One timeout is for a node that says nothing between two statements, whose COMMIT then fails. The others are for one that
// does not take what is sent to it, or of which half of what it says arrived; where PostgreSQL does not run on Linux it has
// no such thing as the first of them and logs that each time, so none is set.
func bounds(lease time.Duration, linux bool) string {
	hold := max(lease, leastHold).Milliseconds()
	list := []string{parameter("idle_in_transaction_session_timeout", hold)}
	if linux {
		list = append(list, parameter("tcp_user_timeout", hold), parameter("tcp_keepalives_idle", 1), parameter("tcp_keepalives_interval", 1))
	}
	return strings.Join(list, ", ")
}

func parameter(name string, value int64) string {
	return fmt.Sprintf("set_config('%s', '%d', true)", name, value)
}
