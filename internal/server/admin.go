package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

// metrics never carry a token, organization or member as a label.
type metrics struct {
	registry *prometheus.Registry
	checks   map[string]map[counterfoil.Code]prometheus.Counter
	spread   prometheus.Histogram // seconds until every node had taken note of a change that narrows
}

// newApplied is apart from the other metrics, because the store fills it from its start on.
func newApplied() prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "counterfoil_log_apply_seconds", Buckets: spreadBuckets,
		Help: "From the numbering of each entry of PostgreSQL's log, whichever node wrote it, until this node had applied it: by the database's clock until it was read, by this node's from there. Clocks of two machines are nowhere compared."})
}

// spreadBuckets are from what one node takes to the longest lease.
var spreadBuckets = []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10}

var surfaces = []string{"verify", "batch", "introspect", "authorize", "envoy"}

var verdictCodes = []counterfoil.Code{
	counterfoil.CodeOK, counterfoil.CodeInvalidToken, counterfoil.CodeWrongDataCenter, counterfoil.CodeTokenRevoked, counterfoil.CodeTokenPaused,
	counterfoil.CodeOrganizationSuspended, counterfoil.CodeOwnerInactive, counterfoil.CodeWrongAudience, counterfoil.CodeKindDisabled,
	counterfoil.CodeTokenExpired, counterfoil.CodeMaxLifetimeExceeded, counterfoil.CodeIPNotAllowed, counterfoil.CodeMissingPermission,
	counterfoil.CodeMissingCredentials, counterfoil.CodeMultipleCredentials, counterfoil.CodeInvalidRequest, counterfoil.CodeUnavailable,
}

func newMetrics(c *Core) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), checks: map[string]map[counterfoil.Code]prometheus.Counter{}}
	checks := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "counterfoil_checks_total", Help: "Checks by surface and verdict code; unavailable: nobody knew, which is answered 503."}, []string{"surface", "code"})
	for _, surface := range surfaces {
		m.checks[surface] = map[counterfoil.Code]prometheus.Counter{}
		for _, code := range verdictCodes {
			m.checks[surface][code] = checks.WithLabelValues(surface, string(code))
		}
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "counterfoil_build_info", Help: "Always 1; the labels tell the version and the engine."}, []string{"version", "engine"})
	build.WithLabelValues(c.Config.Version, c.Store.Engine()).Set(1)
	m.spread = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "counterfoil_propagation_seconds", Buckets: spreadBuckets,
		Help: "From the commit of a change that narrows what is accepted until every node and verifier had applied it, or its lease had run out."})
	m.registry.MustRegister(checks, build, m.spread, c.applied,
		gauge("counterfoil_cached_tokens", "Token records in memory.", func() float64 { n, _, _ := c.Verifier.CacheStats(); return float64(n) }),
		counter("counterfoil_cache_hits_total", "Checks whose token record was in memory.", func() float64 { _, n, _ := c.Verifier.CacheStats(); return float64(n) }),
		counter("counterfoil_cache_misses_total", "Checks that asked the database.", func() float64 { _, _, n := c.Verifier.CacheStats(); return float64(n) }),
		gauge("counterfoil_storage_alive", "1 while cached records may be trusted.", func() float64 {
			if _, ok := c.Store.Alive(); ok {
				return 1
			}
			return 0
		}),
		gauge("counterfoil_lease_age_seconds", "How long ago the log was last known to hold nothing more; 0 on SQLite.", func() float64 {
			if s := c.Store.Standing(); s.Lease > 0 {
				return s.Age.Seconds()
			}
			return 0
		}),
		gauge("counterfoil_log_applied", "Number of the last entry of the log that this node has applied; 0 on SQLite.", func() float64 { return float64(c.Store.Standing().Applied) }),
		gauge("counterfoil_log_lag_entries", "Entries of the log that this node knows of and has not applied; 0 on SQLite.", func() float64 { return float64(c.Store.Standing().Behind) }),
		gauge("counterfoil_log_lag_seconds", "How long this node has known the oldest entry of the log that it has not applied; 0 where it knows of none.", func() float64 { return c.Store.Standing().BehindFor.Seconds() }),
		counter("counterfoil_failed_writes_total", "Changes that the database did not take: it is away, or its disk is full.", func() float64 { return float64(c.Store.FailedWrites()) }),
		gauge("counterfoil_verifiers", "Programs that judge tokens by themselves and are fed by this node.", func() float64 { return float64(c.verifiers.Count()) }),
		gauge("counterfoil_nodes", "Nodes that serve the database, as this one sees it.", func() float64 { return float64(c.Store.Standing().Nodes) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *metrics) checked(surface string, code counterfoil.Code) {
	if c := m.checks[surface][code]; c != nil {
		c.Inc()
	}
}

// adminHandler serves health and metrics, on a listener of its own.
func (c *Core) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", c.serveReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.metrics.registry, promhttp.HandlerOpts{}))
	return web.Wrap(web.Mux404(mux), web.Options{Logger: c.Config.Logger, Mask: c.Verifier.Masked})
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
