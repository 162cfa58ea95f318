package web

import (
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// ETag is the strong entity tag of a version (RFC 9110 section 8.8.3).
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch reads an If-Match header (RFC 9110 section 13.1.1). present says that version must be the current one; without
// the header, or with *, any version will do and present is false. A weak tag and one that ETag never made match
// nothing: version_mismatch. A list of tags, and what is no tag at all, is invalid_request.
func IfMatch(header string) (version int64, present bool, err error) {
	header = strings.Trim(header, " \t")
	if header == "" || header == "*" {
		return 0, false, nil
	}
	tag, weak := strings.CutPrefix(header, "W/")
	inner := strings.TrimSuffix(strings.TrimPrefix(tag, `"`), `"`)
	if len(tag) != len(inner)+2 || strings.ContainsAny(inner, "\" \t") {
		return 0, false, &counterfoil.Error{Code: counterfoil.CodeInvalidRequest, Detail: `If-Match takes one entity tag in quotes, as ETag gave it, or *.`}
	}
	version, err = strconv.ParseInt(inner, 10, 64)
	if weak || err != nil || version < 0 || ETag(version) != tag {
		return 0, true, counterfoil.Refuse(counterfoil.CodeVersionMismatch, "If-Match names no version of this resource; read it again.")
	}
	return version, true, nil
}
