package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/counterfoil/counterfoil/internal/ledger"
)

// LedgerName is the file in the data directory that says what was ended for good. A backup of the database leaves it out.
const LedgerName = "revocations.ledger"

func openLedger(dir string) (l *ledger.Ledger, missing bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	path := filepath.Join(dir, LedgerName)
	_, err = os.Stat(path)
	missing = errors.Is(err, fs.ErrNotExist)
	l, err = ledger.Open(path)
	return l, missing, err
}

// firstReplay is replay before anybody is served. Where there was no ledger it says so.
func (c *Core) firstReplay(ctx context.Context, missing bool) error {
	if !missing {
		return c.replay(ctx)
	}
	if ready, err := c.Registry.IsSetUp(ctx); err != nil || !ready {
		return err
	}
	c.Config.Logger.Warn("there was no ledger of revocations beside a database in use; if the database comes from a backup, tokens revoked since are good again",
		"file", filepath.Join(c.Config.Dir, LedgerName))
	return nil
}

// replay brings a database that may come from a backup in step with the ledger.
func (c *Core) replay(ctx context.Context) error {
	ended, err := c.Registry.Replay(ctx)
	if ended > 0 {
		c.Config.Logger.Warn("the database is older than the ledger of revocations, as after a restore: what had ended since was ended again", "tokens_keys_and_organizations", ended)
	}
	return err
}

// replayInEpoch replays once in each epoch after the given one: it began because the log is not the one that was followed, as when
// the database was put back beneath this process, or a standby took over that lacked the end; or because this node was far behind.
func (c *Core) replayInEpoch(ctx context.Context, last *uint64) error {
	epoch, alive := c.Store.Alive()
	if epoch == *last || !alive {
		return nil
	}
	err := c.replay(ctx)
	if err == nil {
		*last = epoch
	}
	return err
}
