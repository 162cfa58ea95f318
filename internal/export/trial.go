package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/hec"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	trialWithin   = 20 * time.Second
	trialIndexed  = 8 * time.Second // of it for the acknowledgement
	trialQuestion = 500 * time.Millisecond
)

var errTrying = counterfoil.Refuse(counterfoil.CodeRateLimited, "A test of this export is under way. Wait for its end.")

// Try sends a test event and says in words what becomes of it. One runs at a time for each organization.
func (p *Pusher) Try(ctx context.Context, org string, e store.SplunkExport) (out counterfoil.ExportTest, err error) {
	if _, busy := p.trying.LoadOrStore(org, true); busy {
		return out, errTrying
	}
	defer p.trying.Delete(org)
	ctx, cancel := context.WithTimeout(ctx, trialWithin)
	defer cancel()
	began := time.Now()
	out.Code, out.Detail, err = p.try(ctx, org, &e)
	var fault *hec.Fault
	switch {
	case errors.As(err, &fault):
		out.Code, out.Detail, err = fault.Code, fault.Detail, nil
		if fault.Kind == hec.Invalid {
			out.Detail = "The collector refused the test event as invalid: " + fault.Detail + "."
		}
	case err == nil:
		out.OK = true
	}
	out.TookMS = float64(time.Since(began).Microseconds()) / 1000
	return out, err
}

func (p *Pusher) try(ctx context.Context, org string, e *store.SplunkExport) (code, detail string, err error) {
	collector, err := p.Collector(org, e)
	if err != nil {
		return "", "", err
	}
	line, err := collector.Trial(store.NewID("evt"), p.Store.Now().Time())
	if err != nil {
		return "", "", err
	}
	free, ok := p.slot(ctx, p.inTrials)
	if !ok {
		return "", "", counterfoil.Refuse(counterfoil.CodeRateLimited, "Too many calls to collectors are under way. Try again in a moment.")
	}
	defer free()
	receipt, err := collector.Send(ctx, [][]byte{line})
	if err != nil {
		return "", "", err
	}
	if !receipt.Pending {
		return "ok", "The collector took a test event.", nil
	}
	for end := time.Now().Add(trialIndexed); time.Now().Before(end); {
		indexed, err := collector.Indexed(ctx, []hec.Receipt{receipt})
		if err != nil {
			return "", "", err
		}
		if indexed[receipt.AckID] {
			return "ok", "The collector took a test event, and it is indexed.", nil
		}
		select {
		case <-time.After(trialQuestion):
		case <-ctx.Done():
		}
	}
	return "ok", fmt.Sprintf("The collector took a test event. It has not said within %v that it is indexed, which can take longer; events count as delivered only then.", trialIndexed), nil
}
