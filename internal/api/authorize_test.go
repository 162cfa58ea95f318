package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestClientsQuery(t *testing.T) {
	for _, c := range []struct {
		url, header, target string
		want                bool
	}{
		{"/v1/authorize?permission=a:b", "X-Forwarded-Uri", "/api/admin?permission=a:b", true},
		{"/v1/authorize?permission=a:b", "X-Original-Uri", "/api/admin?permission=a:b", true},
		{"/v1/authorize?permission=a:b", "X-Original-Url", "https://x.example/api/admin?permission=a:b", true},
		{"/v1/authorize?permission=a:b", "X-Forwarded-Uri", "/api/admin?page=2", false},
		{"/v1/authorize?permission=a:b", "X-Forwarded-Uri", "/api/admin", false},
		{"/v1/authorize?permission=a:b", "X-Other", "/api/admin?permission=a:b", false},
	} {
		r := httptest.NewRequest(http.MethodGet, c.url, nil)
		r.Header.Set(c.header, c.target)
		if got := clientsQuery(r); got != c.want {
			t.Errorf("%s with %s: %s is %v", c.url, c.header, c.target, got)
		}
	}
}
