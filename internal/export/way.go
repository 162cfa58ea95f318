package export

import (
	"errors"

	"github.com/google/uuid"

	"github.com/counterfoil/counterfoil/internal/hec"
	"github.com/counterfoil/counterfoil/internal/outgoing"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
)

// Way is how collectors are called and their tokens kept.
type Way struct {
	Keys   *secret.Keyring
	Client *outgoing.Client
	Host   string // what events say that they come from
}

const purpose = "splunk export token"

// Seal keeps a collector's token in a row of the organization.
func (w *Way) Seal(org string, e *store.SplunkExport, token string) (err error) {
	e.KeyID, e.Sealed, err = w.Keys.Seal(purpose, org, []byte(token))
	return err
}

var (
	errNoToken = &hec.Fault{Kind: hec.Refused, Code: "token_missing", Detail: "There is no token for this collector. Set it: it is forgotten when scheme, host or port of the address change."}
	errSealed  = &hec.Fault{Kind: hec.Refused, Code: "token_sealed", Detail: "The collector's token cannot be read with this server's instance key. Set it again."}
)

// Collector is what an organization's export delivers to, with a channel of its own. The error is a *hec.Fault.
func (w *Way) Collector(org string, e *store.SplunkExport) (*hec.Collector, error) {
	if len(e.Sealed) == 0 {
		return nil, errNoToken
	}
	token, err := w.Keys.Unseal(e.KeyID, purpose, org, e.Sealed)
	if errors.Is(err, secret.ErrSealed) {
		return nil, errSealed
	}
	if err != nil {
		return nil, err
	}
	return &hec.Collector{Client: w.Client, Target: hec.Target{URL: e.URL, Token: string(token), Channel: uuid.NewString(),
		Index: e.Index, Source: e.Source, Sourcetype: e.Sourcetype, Host: w.Host}}, nil
}
