package web_test

import (
	"errors"
	"math"
	"testing"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/web"
)

func TestIfMatch(t *testing.T) {
	tests := []struct {
		header  string
		version int64
		present bool
		code    counterfoil.Code
	}{
		{"", 0, false, ""},
		{"*", 0, false, ""},
		{` "3" `, 3, true, ""},
		{web.ETag(0), 0, true, ""},
		{web.ETag(math.MaxInt64), math.MaxInt64, true, ""},
		{`W/"3"`, 0, true, "version_mismatch"},
		{`"03"`, 0, true, "version_mismatch"},
		{`"+3"`, 0, true, "version_mismatch"},
		{`"-3"`, 0, true, "version_mismatch"},
		{`"abc"`, 0, true, "version_mismatch"},
		{`""`, 0, true, "version_mismatch"},
		{`"9223372036854775808"`, 0, true, "version_mismatch"},
		{`3`, 0, false, "invalid_request"},
		{`"3`, 0, false, "invalid_request"},
		{`"`, 0, false, "invalid_request"},
		{`w/"3"`, 0, false, "invalid_request"},
		{`"3", "4"`, 0, false, "invalid_request"},
		{`"3"x`, 0, false, "invalid_request"},
	}
	for _, tt := range tests {
		version, present, err := web.IfMatch(tt.header)
		if (err != nil) != (tt.code != "") || err != nil && !errors.Is(err, &counterfoil.Error{Code: tt.code}) {
			t.Errorf("IfMatch(%s): %v, want %s", tt.header, err, tt.code)
		}
		if present != tt.present || err == nil && version != tt.version {
			t.Errorf("IfMatch(%s) = %d, %v, want %d, %v", tt.header, version, present, tt.version, tt.present)
		}
	}
}
