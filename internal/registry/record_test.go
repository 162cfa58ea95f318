package registry

import "testing"

func TestNames(t *testing.T) {
	for name, want := range map[string]struct{ thing, person bool }{
		"office": {true, true}, "Büro München": {true, true}, "東京": {true, true},
		"میخواهم": {true, true}, "می\u200cخواهم": {true, true}, "👩\u200d🚀": {true, true}, "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f": {true, true},
		"office ": {false, true}, "office\u200b": {false, true}, "of\ufefffice": {false, true}, "pay\u202egnp.exe": {true, true}, "office\u200d": {false, true},
		"": {false, false}, " ": {false, false}, "\u200b\u2060": {false, false}, "a\nb": {false, false},
	} {
		if thing, person := nameProblem("/name", name) == nil, personNameProblem("/name", name) == nil; thing != want.thing || person != want.person {
			t.Errorf("%q is good for a thing: %v, for a person: %v", name, thing, person)
		}
	}
}
