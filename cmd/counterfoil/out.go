package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// outFile is the flag of verbs that answer with a secret.
type outFile struct {
	Out string `placeholder:"FILE" help:"Write the answer to this new file, which nobody else may read, instead of stdout."`
}

// into runs a verb with the file, if one was named, in place of stdout. The file is made first, so that no secret is
// made that has nowhere to go; one that stayed empty is removed.
func (o outFile) into(s *session, verb func() error) (err error) {
	if o.Out == "" {
		return verb()
	}
	f, err := os.OpenFile(o.Out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("--out: %s is there already: name a new file", o.Out)
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	stdout := s.out
	s.out = f
	err = verb()
	s.out = stdout
	info, fault := f.Stat()
	if fault = errors.Join(fault, f.Sync(), f.Close()); fault != nil {
		return errors.Join(err, fmt.Errorf("--out: %w", fault))
	}
	if info.Size() == 0 {
		return errors.Join(err, os.Remove(o.Out))
	}
	s.say("Written to %s.", printable(o.Out))
	return err
}
