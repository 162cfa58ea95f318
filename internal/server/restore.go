package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/counterfoil/counterfoil/internal/ledger"
	"github.com/counterfoil/counterfoil/internal/store"
)

// LedgerName is the file in the data directory that says what was ended for good. A backup of the database leaves it out.
const LedgerName = "revocations.ledger"

// astray refuses to make a database of SQLite where there is a ledger and none: the directory is a PostgreSQL server's, or its database
// was lost.
func astray(c *Config) error {
	info, err := os.Stat(filepath.Join(c.Dir, LedgerName))
	if c.DatabaseURL != "" || err != nil || info.Size() == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(c.Dir, store.DatabaseFile)); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s has a %s and no %s: it is of a server on PostgreSQL (name its database by --database-url or COUNTERFOIL_DATABASE_URL), or the database was lost (put its backup there); to begin anew take another directory",
		c.Dir, LedgerName, store.DatabaseFile)
}

func (c *Core) openLedger() (err error) {
	if err := os.MkdirAll(c.Config.Dir, 0o700); err != nil {
		return err
	}
	c.ledger, err = ledger.Open(filepath.Join(c.Config.Dir, LedgerName))
	return err
}

// firstReplay is done before anybody is served. Where there is no ledger it says so, at each start until one serves (beginLedger).
func (c *Core) firstReplay(ctx context.Context) error {
	end, err := c.ledger.End()
	if err != nil {
		return err
	}
	if end.Ledger != "" {
		return c.replay(ctx, c.Registry.Replay)
	}
	ready, err := c.Registry.IsSetUp(ctx)
	if err != nil {
		return err
	}
	if !ready {
		return c.beginLedger()
	}
	message := "there was no ledger of revocations beside a database in use; if the database comes from a backup, tokens revoked since are good again"
	if !c.Store.Alone() {
		message = "there is no ledger of revocations here, as at a node that is new beside others; if it was lost and the database comes from a backup, tokens revoked since are good again where no other node's ledger has them"
	}
	c.Config.Logger.Warn(message, "file", filepath.Join(c.Config.Dir, LedgerName))
	return nil
}

// beginLedger begins a ledger where there is none; keepLedger then writes into it what the log says has ended, which may take long.
func (c *Core) beginLedger() error {
	began, err := c.ledger.Begin(c.Config.Now())
	if began {
		c.begun <- struct{}{}
	}
	return err
}

// replay brings a database that may come from a backup in step with the ledger.
func (c *Core) replay(ctx context.Context, with func(context.Context) (int, error)) error {
	ended, err := with(ctx)
	if ended > 0 {
		c.Config.Logger.Warn("the database is older than the ledger of revocations, as after a restore: what had ended since was ended again", "tokens_keys_and_organizations", ended)
	}
	return err
}

// keepLedger keeps the database and the ledger in step: at once, when one was begun, hourly, and once in each epoch after the given
// one. That began because the log is not the one that was followed, as when the database was put back beneath this process, or a
// standby took over that lacked the end; or because this node was far behind. What fails is tried again after a second, then after twice
// as long each time, since it may read much: up to a minute, or 5 seconds where the log may be another; it is said once a minute.
func (c *Core) keepLedger(epoch uint64) {
	second, hour := time.NewTicker(time.Second), time.NewTicker(time.Hour)
	defer second.Stop()
	defer hour.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	c.done.Go(func() { <-c.quit; cancel() }) // Close goes on with it
	var said, again time.Time
	var pause time.Duration
	tried := epoch
	for due := true; ctx.Err() == nil; {
		now, alive := c.Store.Alive()
		if now != tried {
			again, pause = time.Time{}, 0
		}
		if alive && (due || now != epoch) && !time.Now().Before(again) {
			tried = now
			err := c.replay(ctx, c.Registry.KeepLedger)
			if pause = pauseAfter(err, pause, now != epoch); err == nil {
				due, epoch = false, now
			} else if ctx.Err() == nil && time.Since(said) >= time.Minute {
				said = time.Now()
				c.Config.Logger.Warn("comparing the database with the ledger of revocations; it is tried again", "error", err)
			}
			again = time.Now().Add(pause)
		}
		select {
		case <-ctx.Done():
		case <-second.C:
		case <-hour.C:
			due = true
		case <-c.begun:
			due = true
		}
	}
}

// pauseAfter is how long to wait after an attempt that ended with err and came after a pause; urgent: what was revoked may be good
// until then.
func pauseAfter(err error, pause time.Duration, urgent bool) time.Duration {
	if err == nil {
		return 0
	}
	most := time.Minute
	if urgent {
		most = 5 * time.Second
	}
	return min(max(2*pause, time.Second/2), most) // half a second ends before the next tick
}
