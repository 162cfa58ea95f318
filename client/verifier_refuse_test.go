package client

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/counterfoil/counterfoil"
)

// A code of a newer server has a title as well.
func TestRefusalOfAnUnknownCode(t *testing.T) {
	w := httptest.NewRecorder()
	refuse(w, counterfoil.Verdict{Code: "brand_new"})
	if w.Code != 403 || !strings.Contains(w.Body.String(), `"title":"The token may not be used"`) || strings.Contains(w.Body.String(), `"detail":"."`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
