//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// order is one round that the generator is asked for.
type order struct {
	Address string
	More    []string // addresses over which the connections are spread as well
	PID     int      // whose processor time is read around the round
	Conns   int
	Seconds float64
	File    string // of the requests, as written by writeRequests
	From    int    // the request to begin with
	Once    bool   // end when every request was sent; else begin again
	Status  int    // that every answer must have
	Holds   string // what every answer must hold; empty: anything
}

// outcome is what a round came to.
type outcome struct {
	Requests  int
	Elapsed   time.Duration
	P50, P99  time.Duration
	CPU       time.Duration // of PID
	Generator time.Duration // processor time of the generator
	Error     string        // the first thing that was wrong: the round does not count
}

func (o *outcome) rate() float64 { return float64(o.Requests) / o.Elapsed.Seconds() }
func (o *outcome) cpuMicros() float64 {
	return float64(o.CPU.Nanoseconds()) / 1e3 / float64(o.Requests)
}

// generator is the process that makes load: one thread over epoll, so that it costs little beside what it measures.
type generator struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startGenerator() (*generator, error) {
	g := &generator{cmd: exec.Command("/proc/self/exe", "load")}
	g.cmd.Stderr = os.Stderr
	var err error
	if g.in, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	g.out = json.NewDecoder(out)
	return g, g.cmd.Start()
}

func (g *generator) stop() {
	_ = g.in.Close()
	_ = g.cmd.Wait()
}

func (g *generator) round(o order) (outcome, error) {
	var r outcome
	if err := json.NewEncoder(g.in).Encode(o); err != nil {
		return r, err
	}
	if err := g.out.Decode(&r); err != nil {
		return r, fmt.Errorf("the load generator: %w", err)
	}
	if r.Error == "" && r.Requests == 0 {
		r.Error = "no answer"
	}
	if r.Error != "" {
		return r, fmt.Errorf("load on %s: %s", o.Address, r.Error)
	}
	return r, nil
}

func writeRequests(path string, requests [][]byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(gob.NewEncoder(f).Encode(requests), f.Close())
}

// generate is the generator's process: orders in, outcomes out, one line each.
func generate([]string) error {
	debug.SetGCPercent(400)
	files := map[string][][]byte{}
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if files[o.File] == nil {
			f, err := os.Open(o.File)
			if err != nil {
				return err
			}
			var requests [][]byte
			if err := gob.NewDecoder(bufio.NewReader(f)).Decode(&requests); err != nil {
				return err
			}
			f.Close()
			files[o.File] = requests
		}
		r, err := fire(&o, files[o.File])
		if err != nil {
			r.Error = err.Error()
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
}

// conn is one keep-alive connection with one request under way.
type conn struct {
	fd   int
	sent time.Time
	buf  [8192]byte
	have int
}

// volley is a round under way.
type volley struct {
	*order
	requests [][]byte
	next     int
	left     int // requests that may still be sent
	under    int // requests under way
	took     []time.Duration
}

func fire(o *order, requests [][]byte) (r outcome, err error) {
	v := &volley{order: o, requests: requests, next: o.From, left: 1 << 40, took: make([]time.Duration, 0, 1<<17)}
	if o.Once {
		v.left = len(requests) - o.From
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return r, err
	}
	defer unix.Close(epoll)
	conns := make([]*conn, o.Conns)
	for i := range conns {
		if conns[i], err = dial(append(o.More, o.Address)[i%(1+len(o.More))]); err != nil {
			return r, err
		}
		defer unix.Close(conns[i].fd)
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, conns[i].fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}); err != nil {
			return r, err
		}
	}
	cpu, own := processTime(o.PID), processTime(os.Getpid())
	began := time.Now()
	err = v.exchange(epoll, conns, began.Add(time.Duration(o.Seconds*float64(time.Second))))
	r.Elapsed = time.Since(began)
	r.CPU, r.Generator = processTime(o.PID)-cpu, processTime(os.Getpid())-own
	r.Requests = len(v.took)
	slices.Sort(v.took)
	if n := len(v.took); n > 0 {
		r.P50, r.P99 = v.took[n/2], v.took[n*99/100]
	}
	return r, err
}

func dial(address string) (*conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &conn{fd: fd}, errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.SetNonblock(fd, true))
}

// exchange keeps one request under way on every connection until the end, then waits for the last answers.
func (v *volley) exchange(epoll int, conns []*conn, end time.Time) error {
	for _, c := range conns {
		if err := v.send(c, time.Now()); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, len(conns))
	for v.under > 0 {
		n, err := unix.EpollWait(epoll, events, 10_000)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("no answer for 10 s")
		}
		for _, e := range events[:n] {
			c := conns[e.Fd]
			done, err := v.receive(c)
			if err != nil {
				return err
			}
			if !done {
				continue
			}
			now := time.Now()
			v.took = append(v.took, now.Sub(c.sent))
			v.under--
			if now.Before(end) {
				if err := v.send(c, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (v *volley) send(c *conn, now time.Time) error {
	if v.left == 0 {
		return nil
	}
	v.left--
	request := v.requests[v.next%len(v.requests)]
	v.next++
	c.sent, c.have = now, 0
	v.under++
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = errors.New("a request did not fit into the socket")
	}
	return err
}

// receive reads what is there, and reports whether the answer is whole.
func (v *volley) receive(c *conn) (done bool, err error) {
	n, err := unix.Read(c.fd, c.buf[c.have:])
	switch {
	case err == unix.EAGAIN:
		return false, nil
	case err != nil:
		return false, err
	case n == 0:
		return false, errors.New("the server closed a connection")
	}
	c.have += n
	return v.whole(c.buf[:c.have])
}

var (
	headEnd       = []byte("\r\n\r\n")
	contentLength = []byte("\r\nContent-Length: ")
)

// whole reports whether b is one complete answer, and refuses one that is not as it must be.
func (v *volley) whole(b []byte) (bool, error) {
	head := bytes.Index(b, headEnd)
	if head < 0 {
		return false, v.fits(b)
	}
	line, told := bytes.CutPrefix(b, []byte("HTTP/1.1 "))
	if !told || head < len("HTTP/1.1 200") {
		return false, fmt.Errorf("answered %q", b)
	}
	status, err := strconv.Atoi(string(line[:3]))
	if err != nil || status != v.Status {
		return false, fmt.Errorf("answered %q", b)
	}
	length := 0
	if at := bytes.Index(b[:head], contentLength); at >= 0 {
		digits, _, _ := bytes.Cut(b[at+len(contentLength):], []byte("\r"))
		if length, err = strconv.Atoi(string(digits)); err != nil {
			return false, err
		}
	} else if status != 204 {
		return false, fmt.Errorf("an answer without Content-Length: %q", b)
	}
	body := b[head+len(headEnd):]
	if len(body) < length {
		return false, v.fits(b)
	}
	if len(body) > length {
		return false, errors.New("more was answered than announced")
	}
	if v.Holds != "" && !bytes.Contains(body, []byte(v.Holds)) {
		return false, fmt.Errorf("answered %q", body)
	}
	return true, nil
}

func (v *volley) fits(b []byte) error {
	if len(b) == len(conn{}.buf) {
		return errors.New("an answer is too long for the load generator")
	}
	return nil
}
