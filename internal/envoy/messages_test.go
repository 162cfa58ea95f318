package envoy_test

import (
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/counterfoil/counterfoil/internal/envoy"
)

// The messages have the names, numbers and kinds of Envoy's published ones, and no field besides.
func TestMessages(t *testing.T) {
	compared := 0
	seen := map[protoreflect.FullName]bool{}
	var compare func(ours, published protoreflect.MessageDescriptor)
	compare = func(ours, published protoreflect.MessageDescriptor) {
		if seen[ours.FullName()] {
			return
		}
		seen[ours.FullName()] = true
		for i := range ours.Fields().Len() {
			f := ours.Fields().Get(i)
			p := published.Fields().ByNumber(f.Number())
			if p == nil || p.Name() != f.Name() || p.Kind() != f.Kind() || p.Cardinality() != f.Cardinality() || p.IsMap() != f.IsMap() || oneof(p) != oneof(f) {
				t.Errorf("%s is %v, and as published %v", f.FullName(), f, p)
				continue
			}
			compared++
			if f.Message() != nil {
				compare(f.Message(), p.Message())
			}
			for j := range valuesOf(f) {
				v := f.Enum().Values().Get(j)
				if as := p.Enum().Values().ByNumber(v.Number()); as == nil || as.Name() != v.Name() {
					t.Errorf("%s is %d, and as published %v", v.FullName(), v.Number(), as)
				}
			}
		}
	}
	compare(new(envoy.CheckRequest).ProtoReflect().Descriptor(), new(authv3.CheckRequest).ProtoReflect().Descriptor())
	compare(new(envoy.CheckResponse).ProtoReflect().Descriptor(), new(authv3.CheckResponse).ProtoReflect().Descriptor())
	if compared < 30 {
		t.Errorf("only %d fields were compared", compared)
	}
}

func oneof(f protoreflect.FieldDescriptor) protoreflect.Name {
	if o := f.ContainingOneof(); o != nil {
		return o.Name()
	}
	return ""
}

func valuesOf(f protoreflect.FieldDescriptor) int {
	if f.Enum() == nil {
		return 0
	}
	return f.Enum().Values().Len()
}
