package acceptance

import (
	"net/http"
	"net/http/httptrace"
	"testing"
	"time"
)

// A server that stops does not wait for those who wait for events.
func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	o := w.tenant(t)
	open := o.openStream(t, o.token, "")
	polled, sent := make(chan string, 1), make(chan struct{})
	go func() {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) }})
		r, err := http.NewRequestWithContext(ctx, "GET", o.URL+"/v1/organizations/"+o.id+"/events?after=end&wait=60s", nil)
		if err != nil {
			polled <- err.Error()
			return
		}
		r.Header.Set("Authorization", "Bearer "+o.token)
		a, err := wire.Do(r)
		if err != nil {
			polled <- err.Error()
			return
		}
		a.Body.Close()
		polled <- a.Status
	}()
	<-sent
	o.openStream(t, o.token, "") // what was sent before has arrived
	began := time.Now()
	w.Stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the server took %s to stop", took)
	}
	if status := <-polled; status != "200 OK" {
		t.Errorf("the poll is answered %s", status)
	}
	for open.lines.Scan() {
	}
	if err := open.lines.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
}
