// Package child runs other programs beside a test and ties them to it: however the test process ends, even by kill -9,
// the program gets a last signal. It refuses to know any program.
package child

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a program that was started. Its methods may be called from several goroutines.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// Start starts cmd, which nobody may use afterwards. On Linux the kernel sends it last when this process dies, and
// last must therefore be a signal after which the program takes its own children along; on other systems only the
// caller's clean-up ends it.
func Start(cmd *exec.Cmd, last syscall.Signal) (*Process, error) {
	tie(cmd, last)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux counts the thread that forked as the parent, so this one stays until the program has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cmd.Path, err)
	}
	return p, nil
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the program ended, as [exec.Cmd.Wait] does. It waits for the end.
func (p *Process) Err() error {
	<-p.done
	return p.err
}

// Signal sends sig to the program, without waiting. A program that has ended is not an error.
func (p *Process) Signal(sig os.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(sig); err != nil && err != os.ErrProcessDone {
		return fmt.Errorf("signalling %s: %w", p.cmd.Path, err)
	}
	return nil
}

// Stop sends sig and waits until the program has ended. One that is still there after patience is killed, and that is
// an error.
func (p *Process) Stop(sig os.Signal, patience time.Duration) error {
	if err := p.Signal(sig); err != nil {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	if err := p.Signal(os.Kill); err != nil {
		return err
	}
	<-p.done
	return fmt.Errorf("%s had not ended %s after %v and was killed", p.cmd.Path, patience, sig)
}

// FreePort finds a port of 127.0.0.1 on which nobody listens. Another program may take it before the caller does, so
// the caller tries again with a new one when its program finds the port in use.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
