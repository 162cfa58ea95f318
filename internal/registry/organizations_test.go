package registry

import "testing"

func TestSlugOf(t *testing.T) {
	for name, want := range map[string]string{
		"Acme, Inc.": "acme-inc", "Zürich": "zurich", "Zu\u0308rich": "zurich", "Ærø & Łódź": "aero-lodz", "Großstraße 7": "grossstrasse-7", "İstanbul ılıca": "istanbul-ilica",
		"Ｆｕｌｌ": "full", "Việt Nam": "viet-nam", "Þór Œuvre": "thor-oeuvre",
		"東京": "organization", "Москва": "organization", "Café 東京": "cafe", "current": "organization", "--": "organization",
		"a 1234567890 1234567890 1234567890 1234567890 1234567890": "a-1234567890-1234567890-1234567890-1234567890-1234",
	} {
		if got := slugOf(name); got != want || !slugForm.MatchString(got) {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
