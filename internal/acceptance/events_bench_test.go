package acceptance

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/postgrestest"
)

// BenchmarkWriteEvents posts batches of 1000 events with ids of their own to a running server, four at a time.
func BenchmarkWriteEvents(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			var options []counterfoiltest.Option
			if engine == "postgres" {
				options = append(options, counterfoiltest.WithDatabaseURL(postgrestest.NewDatabase(b)))
			}
			s := counterfoiltest.Start(b, options...)
			var batch atomic.Int64
			b.SetParallelism(2)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					var list []string
					n := batch.Add(1)
					for i := range 1000 {
						list = append(list, fmt.Sprintf(`{"type":"devices","action":"device_seen","id":"seen-%d-%d","user":{"uuid":"u-%[2]d","email":"eve@example.com"},"metadata":{"ip_address":"192.0.2.1","platform":"agent/1.2"}}`, n, i))
					}
					r, err := http.NewRequestWithContext(b.Context(), "POST", s.URL+"/v1/organizations/current/events", bytes.NewBufferString(`{"events":[`+strings.Join(list, ",")+`]}`))
					if err != nil {
						b.Error(err)
						return
					}
					r.Header.Set("Authorization", "Bearer "+s.OwnerToken)
					r.Header.Set("Content-Type", "application/json")
					a, err := wire.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					a.Body.Close()
					if a.StatusCode != http.StatusCreated {
						b.Errorf("answered %d", a.StatusCode)
					}
				}
			})
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
		})
	}
}
