package envoy

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

//go:generate sh -c "cd ../.. && protoc --go_out=. --go_opt=module=github.com/counterfoil/counterfoil internal/envoy/messages.proto"

// checkMethod is how Envoy calls Check.
const checkMethod = "/envoy.service.auth.v3.Authorization/Check"

// authorization is Envoy's service in the words of messages.proto.
var authorization = grpc.ServiceDesc{
	ServiceName: "envoy.service.auth.v3.Authorization",
	HandlerType: (*interface {
		Check(context.Context, *CheckRequest) (*CheckResponse, error)
	})(nil),
	Methods:  []grpc.MethodDesc{{MethodName: "Check", Handler: serveCheck}},
	Metadata: "envoy/service/auth/v3/external_auth.proto",
}

func serveCheck(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	q := new(CheckRequest)
	if err := decode(q); err != nil {
		return nil, err
	}
	s := server.(*Server)
	ctx, span := s.Tracer.Call(ctx, checkMethod[1:], metadata.ValueFromIncomingContext(ctx, "traceparent"))
	answer, err := intercept(ctx, q, &grpc.UnaryServerInfo{Server: server, FullMethod: checkMethod}, func(ctx context.Context, q any) (any, error) {
		return s.Check(ctx, q.(*CheckRequest))
	})
	span.Returned(int(status.Code(err)))
	return answer, err
}
