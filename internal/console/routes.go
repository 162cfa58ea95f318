package console

import (
	"net/http"
	"slices"
)

// audience says who may open a page.
type audience int

const (
	nobody   audience = iota // a page that names no audience does not start
	anyone                   // signed in or not
	signedIn                 // a person
	member                   // a person, in an organization of theirs: the path begins with /o/{org}
)

// page is one row of the table of pages. What it needs is for the person to be told at once; the registry asks again.
type page struct {
	method, path string
	who          audience
	needs        string // permission
	provider     bool   // the organization has to be a provider
	own          bool   // shows what is the person's own here: not for one who only visits
	fresh        bool   // wants a proof of the last ten minutes (step-up)
	size         int64  // of a form in bytes; 0: maxForm
	form         string // of a form: the page of the organization that it is on, where somebody who signed in again goes
	secret       bool   // the form holds one: it is not kept while somebody proves who they are
	show         func(*visit) error
}

const (
	get  = http.MethodGet
	post = http.MethodPost
)

// pages is every page. Each noun has its rows beside its handlers.
func pages() []page {
	return slices.Concat(homePages(), signInPages(), linkPages(), accountPages(), tokenPages(), exportPages(), memberPages(), rolePages(), refusalPages(), activityPages(), policyPages(), ipFilterPages(), retentionPages(), cataloguePages(), webhookPages(), assignmentPages(), managedPages(), usagePages(), providerKeyPages())
}
