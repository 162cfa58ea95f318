package envoy_test

import (
	"encoding/json"
	"os"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// The example is a configuration by Envoy's published types and their rules, and lets nobody in when there is nobody to ask. The
// client does not name its own address.
func TestExample(t *testing.T) {
	text, err := os.ReadFile("../../examples/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	var b bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(asJSON, &b); err != nil {
		t.Fatal(err)
	}
	if err := b.ValidateAll(); err != nil {
		t.Error(err)
	}
	var m hcmv3.HttpConnectionManager
	var f extauthzv3.ExtAuthz
	unpack := func(into interface {
		proto.Message
		ValidateAll() error
	}, from interface{ UnmarshalTo(proto.Message) error }) {
		t.Helper()
		if err := from.UnmarshalTo(into); err != nil {
			t.Fatal(err)
		}
		if err := into.ValidateAll(); err != nil {
			t.Error(err)
		}
	}
	unpack(&m, b.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig())
	unpack(&f, m.GetHttpFilters()[0].GetTypedConfig())
	unpack(new(extauthzv3.ExtAuthzPerRoute), m.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()[0].GetTypedPerFilterConfig()["envoy.filters.http.ext_authz"])
	if f.GetFailureModeAllow() || f.GetWithRequestBody() != nil || !m.GetNormalizePath().GetValue() {
		t.Errorf("%v", &f)
	}
	for _, p := range f.GetAllowedHeaders().GetPatterns() {
		if name := p.GetExact(); name != "authorization" && name != "x-api-key" {
			t.Errorf("the question holds what a client says in %v", p)
		}
	}
	if f.GetAllowedHeaders() == nil {
		t.Error("the question holds every header of the client")
	}
}
