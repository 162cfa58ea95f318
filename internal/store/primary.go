package store

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"
)

// onPrimary has every connection go to a server that is not a standby, whatever else the URL asks for: of several hosts the driver
// would take the first that answers, and each connection another one. A standby that is behind knows nothing of the last revocations,
// and answers questions all the same.
func onPrimary(c *pgconn.Config) {
	named := c.ValidateConnect
	c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		err := pgconn.ValidateConnectTargetSessionAttrsPrimary(ctx, conn)
		if err == nil && named != nil {
			err = named(ctx, conn)
		}
		return err
	}
}
