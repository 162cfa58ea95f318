package usage_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/usage"
)

// moment is all that holds at one time. The model works it out from the whole history afresh.
type moment struct {
	provider, plan string
	license        counterfoil.License
	status         string
	seats          map[string]string
}

// step is one thing that happens.
type step struct {
	when     time.Time
	what, id string
}

// holds says what is so at a time: after every step up to it.
func holds(steps []step, t time.Time) (m moment, managed bool) {
	m.seats = map[string]string{}
	var trialEnds time.Time
	for _, s := range steps {
		if s.when.After(t) {
			break
		}
		switch s.what {
		case "create":
			managed = true
			m.provider, m.plan, m.license, m.status = msp, "business", counterfoil.License(s.id), "active"
			trialEnds = s.when.Add(14 * 24 * time.Hour)
		case "plan":
			m.plan = s.id
		case "license":
			license := counterfoil.License(s.id)
			if over := !s.when.Before(trialEnds); license == counterfoil.LicenseTrial && (m.license != license || over) {
				trialEnds = s.when.Add(14 * 24 * time.Hour)
			}
			m.license = license
		case "status":
			m.status = s.id
		case "move":
			m.provider = s.id
		case "delete":
			return m, false
		case "removed":
			delete(m.seats, s.id)
		default:
			m.seats[s.id] = map[string]string{"invited": "pending", "accepted": "active", "active": "active", "suspended": "suspended"}[s.what]
		}
	}
	if m.license == counterfoil.LicenseTrial && !t.Before(trialEnds) {
		m.license = counterfoil.LicenseStandard
	}
	return m, managed
}

// model is M5 by its words: it looks at every moment of a period at which anything may have changed.
func model(steps []step, provider string, from, until time.Time) (consumed, billable int, plan string, managed bool) {
	times := []time.Time{from}
	for _, s := range steps {
		for _, t := range []time.Time{s.when, s.when.Add(14 * 24 * time.Hour)} {
			if !t.Before(from) && t.Before(until) {
				times = append(times, t)
			}
		}
	}
	everActive, everBilled, rank := map[string]bool{}, map[string]bool{}, -1
	for _, t := range times {
		m, there := holds(steps, t)
		if !there || m.provider != provider {
			continue
		}
		managed = true
		if r := slices.Index(plans, m.plan); r > rank {
			rank, plan = r, m.plan
		}
		for id, class := range m.seats {
			if class == "active" {
				everActive[id] = true
				everBilled[id] = everBilled[id] || m.license == counterfoil.LicenseStandard
			}
		}
	}
	consumed = len(everActive)
	for _, billed := range everBilled {
		if billed {
			billable++
		}
	}
	last, there := holds(steps, until.Add(-time.Microsecond))
	if there && last.provider == provider {
		for id, class := range last.seats {
			if class == "pending" && !everActive[id] {
				consumed++
			}
			if class == "pending" && !everBilled[id] && last.license == counterfoil.LicenseStandard {
				billable++
			}
		}
	}
	return consumed, billable, plan, managed
}

// draw makes a history: distinct moments, a member who is removed never comes back under the same id.
func draw(t *rapid.T) (steps []step) {
	when := at("2027-12-20").Add(time.Duration(rapid.Int64Range(0, 20*24*3600).Draw(t, "start")) * time.Second)
	steps = append(steps, step{when, "create", rapid.SampledFrom([]string{"standard", "trial", "nfr"}).Draw(t, "license")})
	seats, n := map[string]string{}, 0
	manager := msp
	for range rapid.IntRange(0, 40).Draw(t, "steps") {
		when = when.Add(time.Duration(rapid.Int64Range(1, 5*24*3600).Draw(t, "wait")) * time.Second)
		switch trialEnds := steps[0].when.Add(14 * 24 * time.Hour); rapid.IntRange(0, 5).Draw(t, "edge") {
		case 0: // exactly at midnight
			when = when.Truncate(24 * time.Hour).Add(24 * time.Hour)
		case 1: // exactly at the end of the trial
			if steps[len(steps)-1].when.Before(trialEnds) {
				when = trialEnds
			}
		}
		members := make([]string, 0, len(seats))
		for id := range seats {
			members = append(members, id)
		}
		slices.Sort(members)
		what := rapid.SampledFrom([]string{"invited", "invited", "accepted", "accepted", "active", "suspended", "removed", "plan", "license", "status", "move", "delete"}).Draw(t, "what")
		s := step{when: when, what: what}
		switch what {
		case "invited":
			n++
			s.id = fmt.Sprint(n)
			seats[s.id] = what
		case "accepted", "active", "suspended", "removed":
			if len(members) == 0 {
				continue
			}
			s.id = rapid.SampledFrom(members).Draw(t, "member")
			if what == "removed" {
				delete(seats, s.id)
			}
		case "plan":
			s.id = rapid.SampledFrom(plans).Draw(t, "plan")
		case "license":
			s.id = rapid.SampledFrom([]string{"standard", "nfr", "trial"}).Draw(t, "license")
		case "status":
			s.id = rapid.SampledFrom([]string{"active", "suspended"}).Draw(t, "status")
		case "move":
			if manager == msp {
				manager = other
			} else {
				manager = msp
			}
			s.id = manager
		case "delete":
			if rapid.IntRange(0, 4).Draw(t, "really") > 0 {
				continue
			}
		}
		steps = append(steps, s)
		if what == "delete" {
			break
		}
	}
	return steps
}

func (l *log) write(steps []step) {
	for _, s := range steps {
		switch s.what {
		case "create":
			l.create(s.when, "business", counterfoil.License(s.id), msp)
		case "plan", "license", "status":
			l.change(s.when, "organization_updated", map[string]any{s.what: s.id})
		case "move":
			l.change(s.when, "organization_updated", map[string]any{"managed_by": s.id})
		case "delete":
			l.add(s.when, "organization", "organization_deleted", counterfoil.Target{Kind: "organization", ID: org}, nil)
		default:
			l.member(s.when, s.id, s.what)
		}
	}
}

// The fold agrees with the model on every day and month of any history, and stopping at any midnight changes nothing.
func TestAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := draw(t)
		var l log
		l.write(steps)
		end := steps[len(steps)-1].when.AddDate(0, 2, 0)
		closed, _ := reckon(l.events, end)
		for _, provider := range []string{msp, other} {
			for day := steps[0].when.Truncate(24 * time.Hour); day.AddDate(0, 0, 1).Before(end); day = day.AddDate(0, 0, 1) {
				compare(t, steps, closed, provider, day.Format(time.DateOnly), day, day.AddDate(0, 0, 1))
				if first := day.AddDate(0, 0, 1-day.Day()); day.AddDate(0, 0, 1).Day() == 1 {
					compare(t, steps, closed, provider, first.Format("2006-01"), first, first.AddDate(0, 1, 0))
				}
			}
		}
		stopped := reckonInTwo(t, l.events, end, rapid.IntRange(0, len(l.events)).Draw(t, "stop"))
		for key := range closed {
			if !reflect.DeepEqual(closed[key], stopped[key]) || len(closed) != len(stopped) {
				t.Fatalf("%s: with a stop in between it is %+v, without %+v", key, stopped[key], closed[key])
			}
		}
	})
}

func compare(t *rapid.T, steps []step, closed map[string]counterfoil.Usage, provider, period string, from, until time.Time) {
	consumed, billable, plan, managed := model(steps, provider, from, until)
	u, there := closed[provider+" "+period]
	if there != managed || there && (u.Licenses.Consumed != consumed || u.Licenses.Billable != billable || u.Plan != plan) {
		t.Fatalf("%s %s: the model says managed %t, consumed %d, billable %d, %s; the fold %t, %s\n%v", provider, period, managed, consumed, billable, plan, there, short(u), steps)
	}
	if there && billable > 0 && !strings.HasPrefix(u.BillableReason, fmt.Sprintf("%d = ", billable)) {
		t.Fatalf("%s %s: billable %d, and the reason is %q", provider, period, billable, u.BillableReason)
	}
}

// reckonInTwo stores the state at the midnight after the n-th event and goes on from what was stored.
func reckonInTwo(t *rapid.T, events []counterfoil.Event, end time.Time, n int) map[string]counterfoil.Usage {
	closed := map[string]counterfoil.Usage{}
	note := func(provider string, u counterfoil.Usage) { closed[provider+" "+u.Date+u.Month] = u }
	s := &usage.State{Plans: plans, Closed: note}
	stop := at("2027-01-01")
	if n > 0 {
		stop = events[n-1].Timestamp.Truncate(24*time.Hour).AddDate(0, 0, 1)
	}
	i := 0
	for ; i < len(events) && events[i].Timestamp.Before(stop); i++ {
		s.Apply(&events[i])
	}
	s.Advance(counterfoil.At(stop))
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if s, err = usage.Decode(text, plans); err != nil {
		t.Fatal(err)
	}
	s.Closed = note
	for ; i < len(events); i++ {
		s.Apply(&events[i])
	}
	s.Advance(counterfoil.At(end))
	return closed
}
