package usage_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/usage"
)

const org, msp, other = "org_customer", "org_msp", "org_other"

var plans = []string{"teams", "business", "enterprise"}

// at reads "2026-02-28 23:59:59" in UTC.
func at(text string) time.Time {
	for _, form := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t
		}
	}
	panic("no time: " + text)
}

// log builds the events of one organization.
type log struct {
	events []counterfoil.Event
}

func (l *log) add(when time.Time, typ, action string, target counterfoil.Target, metadata map[string]any) {
	raw, err := json.Marshal(metadata)
	if err != nil {
		panic(err)
	}
	l.events = append(l.events, counterfoil.Event{Number: int64(len(l.events) + 1), OrganizationID: org, Type: typ, Action: action,
		Timestamp: when, Target: target, Metadata: raw, Actor: counterfoil.Actor{Kind: "system"}})
}

func (l *log) create(when time.Time, plan string, license counterfoil.License, provider string) {
	m := map[string]any{"name": "Customer", "plan": plan, "license": license, "managed_by": provider}
	if license == counterfoil.LicenseTrial {
		m["trial_ends_at"] = when.Add(14 * 24 * time.Hour)
	}
	l.add(when, "organization", "organization_created", counterfoil.Target{Kind: "organization", ID: org}, m)
}

func (l *log) change(when time.Time, action string, after map[string]any) {
	l.add(when, "organization", action, counterfoil.Target{Kind: "organization", ID: org}, map[string]any{"after": after})
}

func (l *log) member(when time.Time, id, what string) {
	target := counterfoil.Target{Kind: "member", ID: "mem_" + id}
	switch what {
	case "invited":
		l.add(when, "invites", "user_invited", target, map[string]any{"email": id})
	case "accepted":
		l.add(when, "invites", "user_invite_accepted", target, nil)
	case "removed":
		l.add(when, "invites", "user_invite_removed", target, nil)
	case "active", "suspended":
		l.add(when, "access", "user_status_updated", target, map[string]any{"after": what})
	default:
		panic(what)
	}
}

// reckon folds the log through a moment and returns what closed, by provider and period, and the month that runs.
func reckon(events []counterfoil.Event, to time.Time) (closed map[string]counterfoil.Usage, s *usage.State) {
	closed = map[string]counterfoil.Usage{}
	s = &usage.State{Plans: plans, Closed: func(provider string, u counterfoil.Usage) { closed[provider+" "+u.Date+u.Month] = u }}
	for i := range events {
		s.Apply(&events[i])
	}
	s.Advance(counterfoil.At(to))
	return closed, s
}

// short is what tables compare.
func short(u counterfoil.Usage) string {
	l := u.Licenses
	return fmt.Sprintf("%da %dp %ds %dd consumed %d billable %d %s %s %s", l.Active, l.Pending, l.Suspended, l.Deleted, l.Consumed, l.Billable, u.Plan, u.License, u.Organization.Status)
}

// The answers were worked out by hand from the rules of M5.
func TestWorkedExamples(t *testing.T) {
	standard, trial, nfr := counterfoil.LicenseStandard, counterfoil.LicenseTrial, counterfoil.LicenseNFR
	for _, test := range []struct {
		name  string
		write func(l *log)
		want  map[string]string // provider and period
		why   map[string]string
	}{
		{"nobody", func(l *log) { l.create(at("2026-01-10"), "teams", standard, msp) },
			map[string]string{msp + " 2026-01": "0a 0p 0s 0d consumed 0 billable 0 teams standard active", msp + " 2026-01-10": "0a 0p 0s 0d consumed 0 billable 0 teams standard active", msp + " 2026-01-09": ""},
			map[string]string{msp + " 2026-01": "0: no seat was active, or is pending on the last day"}},
		{"active on one day, then suspended: that whole month and no further", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			l.member(at("2026-01-05 10:00"), "a", "invited")
			l.member(at("2026-01-05 11:00"), "a", "accepted")
			l.member(at("2026-01-05 12:00"), "a", "suspended")
		}, map[string]string{
			msp + " 2026-01": "0a 0p 1s 0d consumed 1 billable 1 teams standard active", msp + " 2026-02": "0a 0p 1s 0d consumed 0 billable 0 teams standard active",
			msp + " 2026-01-05": "0a 0p 1s 0d consumed 1 billable 1 teams standard active", msp + " 2026-01-06": "0a 0p 1s 0d consumed 0 billable 0 teams standard active",
		}, map[string]string{msp + " 2026-01": "1 = 1 suspended after being active"}},
		{"deleted within the month", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.member(at("2026-01-02 01:00"), "a", "accepted")
			l.member(at("2026-01-20"), "a", "removed")
			l.member(at("2026-01-21"), "b", "invited")
			l.member(at("2026-01-22"), "b", "removed")
		}, map[string]string{msp + " 2026-01": "0a 0p 0s 2d consumed 1 billable 1 teams standard active", msp + " 2026-02": "0a 0p 0s 0d consumed 0 billable 0 teams standard active"},
			map[string]string{msp + " 2026-01": "1 = 1 deleted after being active"}},
		{"pending counts on the last day only", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			for _, m := range []string{"a", "b", "c"} {
				l.member(at("2026-01-03"), m, "invited")
			}
			l.member(at("2026-01-31 23:59:59"), "a", "removed")
			l.member(at("2026-02-01 00:00:00"), "b", "removed")
		}, map[string]string{
			msp + " 2026-01": "0a 2p 0s 1d consumed 2 billable 2 teams standard active", msp + " 2026-02": "0a 1p 0s 0d consumed 1 billable 1 teams standard active",
			msp + " 2026-01-30": "0a 3p 0s 0d consumed 3 billable 3 teams standard active",
		}, map[string]string{msp + " 2026-01": "2 = 2 pending on the last day"}},
		{"a plan that is raised, and lowered", func(l *log) {
			l.create(at("2026-01-01"), "business", standard, msp)
			l.member(at("2026-01-01"), "a", "invited")
			l.member(at("2026-01-01 01:00"), "a", "accepted")
			l.change(at("2026-01-14"), "organization_updated", map[string]any{"plan": "enterprise"})
			l.change(at("2026-02-20"), "organization_updated", map[string]any{"plan": "teams"})
		}, map[string]string{
			msp + " 2026-01": "1a 0p 0s 0d consumed 1 billable 1 enterprise standard active", msp + " 2026-02": "1a 0p 0s 0d consumed 1 billable 1 enterprise standard active",
			msp + " 2026-03": "1a 0p 0s 0d consumed 1 billable 1 teams standard active", msp + " 2026-01-13": "1a 0p 0s 0d consumed 1 billable 1 business standard active",
		}, map[string]string{msp + " 2026-01": "1 = 1 active; enterprise because the plan was raised on 2026-01-14", msp + " 2026-02": "1 = 1 active; enterprise because the plan was lowered on 2026-02-20 only"}},
		{"a trial that becomes standard within the month", func(l *log) {
			l.create(at("2026-01-10 12:00"), "teams", trial, msp)
			for _, m := range []string{"a", "b", "c"} {
				l.member(at("2026-01-11"), m, "invited")
				l.member(at("2026-01-12"), m, "accepted")
			}
			l.member(at("2026-01-24 11:59:59"), "a", "suspended") // a second before its end
			l.member(at("2026-01-24 12:00:01"), "b", "suspended") // a second after
			l.member(at("2026-01-30"), "d", "invited")
		}, map[string]string{
			msp + " 2026-01":    "1a 1p 2s 0d consumed 4 billable 3 teams standard active",
			msp + " 2026-01-23": "3a 0p 0s 0d consumed 3 billable 0 teams trial active", msp + " 2026-01-24": "1a 0p 2s 0d consumed 3 billable 2 teams standard active",
		}, map[string]string{msp + " 2026-01": "3 = 1 active + 1 suspended after being active + 1 pending on the last day; 1 active only while it was on trial or NFR",
			msp + " 2026-01-23": "0: on trial until 2026-01-24"}},
		{"a trial over the end of the month", func(l *log) {
			l.create(at("2026-01-25"), "teams", trial, msp)
			l.member(at("2026-01-26"), "a", "invited")
			l.member(at("2026-01-27"), "a", "accepted")
		}, map[string]string{msp + " 2026-01": "1a 0p 0s 0d consumed 1 billable 0 teams trial active", msp + " 2026-02": "1a 0p 0s 0d consumed 1 billable 1 teams standard active"}, nil},
		{"a trial that ends at the first moment of a month", func(l *log) {
			l.create(at("2026-01-18"), "teams", trial, msp)
			l.member(at("2026-01-26"), "a", "invited")
			l.member(at("2026-01-27"), "a", "accepted")
		}, map[string]string{msp + " 2026-01": "1a 0p 0s 0d consumed 1 billable 0 teams trial active", msp + " 2026-01-31": "1a 0p 0s 0d consumed 1 billable 0 teams trial active",
			msp + " 2026-02-01": "1a 0p 0s 0d consumed 1 billable 1 teams standard active"}, nil},
		{"what happens at the very end of a trial comes first", func(l *log) {
			l.create(at("2026-01-10 12:00"), "teams", trial, msp)
			for _, m := range []string{"a", "b", "c"} {
				l.member(at("2026-01-11"), m, "invited")
				l.member(at("2026-01-12"), m, "accepted")
			}
			l.member(at("2026-01-24 12:00"), "a", "suspended")
			l.member(at("2026-01-24 12:00"), "b", "removed")
			l.change(at("2026-01-24 12:00"), "organization_updated", map[string]any{"managed_by": other})
		}, map[string]string{
			msp + " 2026-01":   "1a 0p 1s 1d consumed 3 billable 0 teams trial moved",
			other + " 2026-01": "1a 0p 1s 0d consumed 1 billable 1 teams standard active",
		}, map[string]string{msp + " 2026-01": "0: on trial until 2026-01-24; moved on 2026-01-24"}},
		{"NFR is free", func(l *log) {
			l.create(at("2026-01-01"), "teams", nfr, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.member(at("2026-01-03"), "a", "accepted")
			l.member(at("2026-01-03"), "b", "invited")
		}, map[string]string{msp + " 2026-01": "1a 1p 0s 0d consumed 2 billable 0 teams nfr active"}, map[string]string{msp + " 2026-01": "0: NFR is free"}},
		{"a suspended organization is billed as an active one", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.member(at("2026-01-03"), "a", "accepted")
			l.change(at("2026-01-15"), "organization_suspended", map[string]any{"status": "suspended"})
		}, map[string]string{msp + " 2026-01": "1a 0p 0s 0d consumed 1 billable 1 teams standard suspended", msp + " 2026-02": "1a 0p 0s 0d consumed 1 billable 1 teams standard suspended"}, nil},
		{"deleted: billed for that month, and gone", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.member(at("2026-01-03"), "a", "accepted")
			l.member(at("2026-01-03"), "b", "invited")
			l.add(at("2026-02-15 10:00"), "organization", "organization_deleted", counterfoil.Target{Kind: "organization", ID: org}, nil)
		}, map[string]string{msp + " 2026-01": "1a 1p 0s 0d consumed 2 billable 2 teams standard active", msp + " 2026-02": "0a 0p 0s 2d consumed 1 billable 1 teams standard deleted",
			msp + " 2026-02-15": "0a 0p 0s 2d consumed 1 billable 1 teams standard deleted", msp + " 2026-02-16": "", msp + " 2026-03": ""},
			map[string]string{msp + " 2026-02": "1 = 1 deleted after being active; deleted on 2026-02-15"}},
		{"moved: each provider for its own time", func(l *log) {
			l.create(at("2026-01-01"), "enterprise", standard, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.member(at("2026-01-03"), "a", "accepted")
			l.member(at("2026-01-03"), "b", "invited")
			l.change(at("2026-01-10"), "organization_updated", map[string]any{"managed_by": other, "plan": "teams"})
			l.member(at("2026-01-20"), "a", "removed")
			l.member(at("2026-01-21"), "b", "accepted")
		}, map[string]string{msp + " 2026-01": "1a 1p 0s 0d consumed 1 billable 1 enterprise standard moved", other + " 2026-01": "1a 0p 0s 1d consumed 2 billable 2 teams standard active",
			msp + " 2026-02": "", other + " 2026-02": "1a 0p 0s 0d consumed 1 billable 1 teams standard active", other + " 2026-01-09": "", msp + " 2026-01-11": ""},
			map[string]string{msp + " 2026-01": "1 = 1 active until it moved; moved on 2026-01-10; enterprise because the plan was lowered on 2026-01-10 only"}},
		{"a leap day", func(l *log) {
			l.create(at("2028-02-29"), "teams", standard, msp)
			l.member(at("2028-02-29 23:59:58"), "a", "invited")
			l.member(at("2028-02-29 23:59:59"), "a", "accepted")
		}, map[string]string{msp + " 2028-02": "1a 0p 0s 0d consumed 1 billable 1 teams standard active", msp + " 2028-02-29": "1a 0p 0s 0d consumed 1 billable 1 teams standard active", msp + " 2028-03": "1a 0p 0s 0d consumed 1 billable 1 teams standard active"}, nil},
		{"what the product writes is not counted", func(l *log) {
			l.create(at("2026-01-01"), "teams", standard, msp)
			l.member(at("2026-01-02"), "a", "invited")
			l.events[1].Actor.Kind = "product"
		}, map[string]string{msp + " 2026-01": "0a 0p 0s 0d consumed 0 billable 0 teams standard active"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l log
			test.write(&l)
			closed, _ := reckon(l.events, l.events[0].Timestamp.AddDate(0, 4, 0))
			for key, want := range test.want {
				got := ""
				if u, there := closed[key]; there {
					got = short(u)
				}
				if got != want {
					t.Errorf("%s:\n got %s\nwant %s", key, got, want)
				}
			}
			for key, want := range test.why {
				if got := closed[key].BillableReason; got != want {
					t.Errorf("%s: the reason is %q, want %q", key, got, want)
				}
			}
		})
	}
}
