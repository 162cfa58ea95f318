package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/providerjwt"
)

// JWTMember is one member of a JWT's header or claims, explained.
type JWTMember struct {
	Name    string
	Value   string     // as it stands there; empty: it is missing
	At      *time.Time // the moment that a time means
	Meaning string
	Fault   string // what is wrong with it; empty: nothing
}

type meaning struct{ name, text string }

var headerMeanings = []meaning{
	{"alg", "How it is signed. A key has one algorithm, and no other is accepted of it."},
	{"kid", "The key id: which of your keys has signed it."},
	{"typ", "JWT, or left out."},
}

var claimMeanings = []meaning{
	{"iss", "Who speaks: your organization's id."},
	{"aud", "Whom it is for: this service."},
	{"iat", "When it was made, by your clock. The clocks may differ by 60 seconds."},
	{"nbf", "Not before this moment. It may be left out."},
	{"exp", "Until when it is good: at most 300 seconds after iat."},
	{"jti", "Its own id: it is accepted once."},
}

// explain tells the members of a JWT apart. It takes the faults that a claim has out of those of the JWT as a whole.
func (j *JWTReport) explain() {
	j.HeaderMembers = members(j.Header, headerMeanings, nil, "No header member of this name is accepted: it could name or carry a key.")
	for i := range j.HeaderMembers {
		m := &j.HeaderMembers[i]
		switch {
		case m.Name == "kid" && m.Value != "" && j.Key == nil:
			m.Fault = "No key of yours has this id."
		case m.Name == "alg" && m.Value != "" && !slices.Contains(counterfoil.KeyAlgorithms, counterfoil.KeyAlgorithm(m.Value)):
			m.Fault = "It has to be EdDSA, ES256 or RS256."
		case m.Name == "alg" && j.Key != nil && m.Value != string(j.Key.Algorithm):
			m.Fault = fmt.Sprintf("The key that it names signs with %s alone.", j.Key.Algorithm)
		case m.Value == "" && m.Name != "typ":
			m.Fault = "It is missing."
		}
	}
	j.ClaimMembers = members(j.Claims, claimMeanings, j.Faults, "")
	j.Rest = slices.DeleteFunc(slices.Clone(j.Faults), func(fault string) bool {
		return slices.ContainsFunc(j.ClaimMembers, func(m JWTMember) bool { return concernsClaim(fault, m.Name) })
	})
}

func concernsClaim(fault, name string) bool { return strings.HasPrefix(fault, "The claim "+name+" ") }

// members reads an object's members: those of a known meaning first, in its order, missing ones too; then any other, with a
// fault of its own.
func members(object string, known []meaning, faults []string, otherwise string) (list []JWTMember) {
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(object), &values) != nil || values == nil {
		return nil
	}
	for _, k := range known {
		m := JWTMember{Name: k.name, Meaning: k.text, Value: plainJSON(values[k.name])}
		if k.name == "iat" || k.name == "nbf" || k.name == "exp" {
			m.At = jwtTime(values[k.name])
		}
		var wrong []string
		for _, fault := range faults {
			if concernsClaim(fault, k.name) {
				wrong = append(wrong, fault)
			}
		}
		m.Fault = strings.Join(wrong, " ")
		list = append(list, m)
		delete(values, k.name)
	}
	var others []JWTMember
	for name, value := range values {
		text := "Not looked at."
		if otherwise != "" {
			text = ""
		}
		others = append(others, JWTMember{Name: name, Value: plainJSON(value), Meaning: text, Fault: otherwise})
	}
	slices.SortFunc(others, func(a, b JWTMember) int { return strings.Compare(a.Name, b.Name) })
	return append(list, others...)
}

// plainJSON is a text without its quotes, and anything else as it stands.
func plainJSON(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return ""
	}
	return out.String()
}

// jwtTime is the moment that a number of seconds means; nil for what is none.
func jwtTime(raw json.RawMessage) *time.Time {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds < 0 || seconds > providerjwt.LastSecond {
		return nil
	}
	at := time.UnixMilli(int64(seconds * 1000)).UTC()
	return &at
}
