// Command verifier is a product's own process of the tests of several nodes: it answers checks by a client.Verifier. It
// refuses to be of any other use.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

func main() {
	listen := flag.String("listen", "", "address to answer at")
	server := flag.String("server", "", "URL of the service")
	staleness := flag.Duration("staleness", 2*time.Second, "MaxStaleness")
	flag.Parse()
	if err := serve(*listen, *server, *staleness); err != nil {
		log.Fatal(err)
	}
}

func serve(listen, server string, staleness time.Duration) error {
	api := client.New(server, os.Getenv("COUNTERFOIL_TOKEN"), client.WithTimeout(5*time.Second), client.WithHTTPClient(&http.Client{Transport: watching{}}))
	v, err := client.NewVerifier(api, client.VerifierConfig{MaxStaleness: staleness})
	if err != nil {
		return err
	}
	var accepted, alone atomic.Int64
	mux := http.NewServeMux()
	// A check, as the service itself answers it.
	mux.HandleFunc("POST /v1/verify", func(w http.ResponseWriter, r *http.Request) {
		var q counterfoil.Question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		asked := false
		verdict, err := v.Verify(context.WithValue(r.Context(), askedKey{}, &asked), q.Token, counterfoil.Attempt{Permissions: q.Permissions})
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		if verdict.Active {
			accepted.Add(1)
			if !asked {
				alone.Add(1)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(verdict)
	})
	// Whether it goes by its memory now, how many checks it has accepted, and how many of these without asking anybody.
	mux.HandleFunc("GET /standing", func(w http.ResponseWriter, r *http.Request) {
		_, trusted := v.Staleness()
		fmt.Fprintf(w, "%t %d %d\n", trusted, accepted.Load(), alone.Load())
	})
	return http.ListenAndServe(listen, mux)
}

// watching notes which checks the service was asked about, or for what to judge them by.
type watching struct{}

type askedKey struct{}

func (watching) RoundTrip(r *http.Request) (*http.Response, error) {
	if asked, ok := r.Context().Value(askedKey{}).(*bool); ok {
		*asked = true
	}
	return http.DefaultTransport.RoundTrip(r)
}
