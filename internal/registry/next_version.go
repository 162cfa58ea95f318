//go:build next_version

package registry

func tokenKind(action string) string {
	if action == "token_revoked" {
		return "credential"
	}
	return "token"
}
