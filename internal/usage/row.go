package usage

import (
	"fmt"
	"strings"

	"github.com/counterfoil/counterfoil"
)

// Running gives the figures of the period that runs, as of the last Advance: of the month, or of the day. False: the provider
// has not managed the organization in it.
func (s *State) Running(provider string, monthly bool) (counterfoil.Usage, bool) {
	accounts := s.day
	if monthly {
		accounts = s.Month
	}
	a := accounts[provider]
	if a == nil || provider == "" {
		return counterfoil.Usage{}, false
	}
	row := s.row(a, monthly)
	row.Provisional = true
	return row, true
}

// tally counts the seats of an account: by what they are, how many of each are billed, and how many were active at all.
type tally struct {
	is, billed [4]int
	active     int
}

func (a *account) tally() (t tally) {
	for _, x := range a.Seats {
		t.is[x&class]++
		if x&wasBilled != 0 {
			t.billed[x&class]++
		}
		if x&wasActive != 0 {
			t.active++
		}
	}
	return t
}

func (s *State) row(a *account, monthly bool) counterfoil.Usage {
	license, trialEnd, status := s.License, s.TrialEnd, string(s.Status)
	if a.Ended != "" {
		license, trialEnd, status = a.License, a.TrialEnd, a.Ended
	}
	t := a.tally()
	if a.Ended == "" && license == counterfoil.LicenseStandard {
		t.billed[pending] = t.is[pending] // of these none was active, or it would be in another class
	}
	row := counterfoil.Usage{
		Organization: counterfoil.UsageOrganization{ID: s.Organization, Name: s.Name, Status: status},
		Plan:         a.Plan, License: license, Trial: license == counterfoil.LicenseTrial, NFR: license == counterfoil.LicenseNFR,
	}
	first := Start(s.Day)
	if monthly {
		row.Month = month(s.Day)
		for month(Day(first)-1) == row.Month {
			first -= dayLength
		}
	} else {
		row.Date = date(s.Day)
	}
	if trialEnd >= first && trialEnd > 0 {
		on := date(Day(trialEnd))
		row.TrialEndsOn = &on
	}
	row.Licenses = counterfoil.UsageLicenses{Active: t.is[active], Pending: t.is[pending], Suspended: t.is[suspended], Deleted: t.is[deleted],
		Consumed: t.active, Billable: t.billed[active] + t.billed[pending] + t.billed[suspended] + t.billed[deleted]}
	if a.Ended == "" {
		row.Licenses.Consumed += t.neverActive(a)
	}
	row.BillableReason = reason(a, row, t, monthly)
	return row
}

// neverActive counts the pending seats that were not active before in the period.
func (t tally) neverActive(a *account) (n int) {
	for _, x := range a.Seats {
		if x&class == pending && x&wasActive == 0 {
			n++
		}
	}
	return n
}

// reason says how the billable figure comes about.
func reason(a *account, row counterfoil.Usage, t tally, monthly bool) string {
	last := "at the end of the day"
	if monthly {
		last = "on the last day"
	}
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if a.Ended == "moved" {
		add(t.billed[active], "active until it moved")
	} else {
		add(t.billed[active], "active")
	}
	add(t.billed[suspended], "suspended after being active")
	add(t.billed[deleted], "deleted after being active")
	add(t.billed[pending], "pending "+last)
	var says []string
	switch n := row.Licenses.Billable; {
	case n > 0:
		says = append(says, fmt.Sprintf("%d = %s", n, strings.Join(parts, " + ")))
	case row.NFR:
		says = append(says, "0: NFR is free")
	case row.Trial && row.TrialEndsOn != nil:
		says = append(says, "0: on trial until "+*row.TrialEndsOn)
	default:
		says = append(says, "0: no seat was active, or is pending "+last)
	}
	if free := t.active - (row.Licenses.Billable - t.billed[pending]); free > 0 && !row.NFR && !row.Trial {
		says = append(says, fmt.Sprintf("%d active only while it was on trial or NFR", free))
	}
	if a.Ended != "" {
		says = append(says, fmt.Sprintf("%s on %s", a.Ended, date(Day(a.At))))
	}
	switch {
	case a.Raised != 0 && a.Plan != a.First:
		says = append(says, fmt.Sprintf("%s because the plan was raised on %s", a.Plan, date(Day(a.Raised))))
	case a.Lowered != 0:
		says = append(says, fmt.Sprintf("%s because the plan was lowered on %s only", a.Plan, date(Day(a.Lowered))))
	}
	return strings.Join(says, "; ")
}
