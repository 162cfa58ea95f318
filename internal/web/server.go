package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// NewServer is a server for a public listener. A client has 5 s for its headers, of 16 KiB and what net/http grants on
// top (4 KiB), and 30 s for the whole request; it takes the answer within 60 s. A handler whose answer waits for events or streams moves
// that deadline through http.ResponseController. An idle connection is kept for 60 s.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    16 << 10,
		WriteTimeout:      60 * time.Second,
	}
}

// Serve answers on ln until ctx ends, then takes no more connections and gives running requests drain to finish. It
// returns nil after an orderly end, and an error where it could not serve or had to break requests off. It owns ln.
func Serve(ctx context.Context, srv *http.Server, ln net.Listener, drain time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := srv.Shutdown(deadline)
	if err != nil {
		err = fmt.Errorf("requests still running after %s were broken off: %w", drain, errors.Join(err, srv.Close()))
	}
	<-served
	return err
}
