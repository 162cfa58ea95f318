package store

import (
	"crypto/tls"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// unencrypted is a host beyond this machine to which the driver may speak without TLS; empty: there is none. Without sslmode in the
// URL it tries TLS, and goes on without where the server, or somebody between, says that it has none.
func unencrypted(c *pgconn.Config) string {
	if plain(c.Host, c.TLSConfig) {
		return c.Host
	}
	for _, way := range c.Fallbacks {
		if plain(way.Host, way.TLSConfig) {
			return way.Host
		}
	}
	return ""
}

func plain(host string, encrypted *tls.Config) bool {
	if encrypted != nil || host == "localhost" || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") { // the last two: sockets
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err != nil || !addr.Unmap().IsLoopback()
}
