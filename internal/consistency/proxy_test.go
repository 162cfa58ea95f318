package consistency_test

import (
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy stands between a node and the database. It can hold everything back, break every connection, or be slow.
type proxy struct {
	listener net.Listener
	target   string
	gate     sync.RWMutex // held exclusively while nothing passes
	jitter   atomic.Int64 // the longest delay of a piece, in nanoseconds

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
	group sync.WaitGroup
}

func newProxy(host, target string) (*proxy, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.group.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(client, server) {
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		p.group.Go(func() { p.forward(client, server) })
		p.group.Go(func() { p.forward(server, client) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.cut
}

func (p *proxy) forward(from, to net.Conn) {
	defer func() {
		p.mu.Lock()
		delete(p.conns, from)
		p.mu.Unlock()
		from.Close()
		to.Close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if j := p.jitter.Load(); j > 0 {
			time.Sleep(time.Duration(rand.Int64N(j)))
		}
		p.gate.RLock()
		_, failed := to.Write(buffer[:n])
		p.gate.RUnlock()
		if err != nil || failed != nil {
			return
		}
	}
}

// hold lets nothing pass until the function that it returns is called.
func (p *proxy) hold() (release func()) {
	p.gate.Lock()
	return p.gate.Unlock
}

// breakAll closes every connection, and new ones at once, until the function that it returns is called.
func (p *proxy) breakAll() (mend func()) {
	p.set(true)
	return func() { p.set(false) }
}

func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	for c := range p.conns {
		if cut {
			c.Close()
		}
	}
}

func (p *proxy) close() {
	p.listener.Close()
	p.set(true)
	p.group.Wait()
}
