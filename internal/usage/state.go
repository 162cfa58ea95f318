// Package usage works out from the log what an organization used of its provider's licences (M4, M5): a fold over events in
// their order, day by day. It is pure, so that any figure can be worked out again. It refuses to read a clock or a database,
// and it never looks back: what a closed day gave is the caller's to keep.
package usage

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/counterfoil/counterfoil"
)

// Types are the types of the events that matter here.
var Types = []string{"access", "invites", "organization", "provider"}

// dayLength is in microseconds, as all times here are.
const dayLength = 24 * 60 * 60 * 1_000_000

// Day is the number of the UTC day, since 1970, that a moment lies in.
func Day(at counterfoil.Instant) int64 {
	d := int64(at) / dayLength
	if int64(at)%dayLength < 0 {
		d--
	}
	return d
}

// Start is the first moment of a day.
func Start(day int64) counterfoil.Instant { return counterfoil.Instant(day * dayLength) }

func date(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }

func month(day int64) string { return date(day)[:7] }

// seat is a member in a period: what it is, and whether it ever was active in it, and so while the licence was standard.
type seat uint8

const (
	pending   seat = 0
	active    seat = 1
	suspended seat = 2
	deleted   seat = 3
	class     seat = 3
	wasActive seat = 4
	wasBilled seat = 8
)

// account is what a period has gathered for one provider.
type account struct {
	Plan            string              `json:"plan"` // the highest
	First           string              `json:"first"`
	Raised, Lowered counterfoil.Instant // when Plan came into force, and when it was left; 0: not within the period
	Seats           map[string]seat     `json:"seats"`
	Ended           string              `json:"ended,omitempty"` // deleted or moved: the rest is as it was then
	At              counterfoil.Instant `json:"at,omitempty"`
	License         counterfoil.License `json:"license,omitempty"`
	TrialEnd        counterfoil.Instant `json:"trial_end,omitempty"`
}

// State is an organization at a moment, and what the day and the month that run have gathered.
type State struct {
	Organization, Name string
	Plan               string
	License            counterfoil.License
	Status             counterfoil.OrgStatus
	TrialEnd           counterfoil.Instant // of the last trial; 0: there was none
	Provider           string              // that manages it; empty: none
	Made, Deleted      bool

	Day   int64               // that runs
	At    counterfoil.Instant // of the last event
	Month map[string]*account // by provider; the empty one is nobody's
	Ahead []int64             // numbers of events that were applied before others with lower ones: Apply passes over them

	Plans []string `json:"-"` // in rising order
	// Closed is told the figures of each day and month that ends, for each provider that managed the organization in it.
	// nil: nobody is.
	Closed func(provider string, row counterfoil.Usage) `json:"-"`

	day map[string]*account
}

// Encode writes a state for Decode. It must be called at the beginning of a day, before its first event.
func (s *State) Encode() (string, error) {
	raw, err := json.Marshal(s)
	return string(raw), err
}

// Decode reads what Encode wrote.
func Decode(text string, plans []string) (*State, error) {
	s := &State{Plans: plans}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		return nil, err
	}
	s.day = s.begin(s.Month)
	return s, nil
}

// metadata is what events say that matters here.
type metadata struct {
	Name      string              `json:"name"`
	Plan      string              `json:"plan"`
	License   counterfoil.License `json:"license"`
	ManagedBy string              `json:"managed_by"`
	TrialEnd  *time.Time          `json:"trial_ends_at"`
	Status    json.RawMessage     `json:"status"`
	After     json.RawMessage     `json:"after"`
	status    counterfoil.OrgStatus
}

// Apply adds an event. Events come in the order of their numbers; one whose time lies before that of an earlier one counts as
// of the same moment.
func (s *State) Apply(e *counterfoil.Event) {
	own := (e.Type == "organization" || e.Type == "provider") && e.Target.Kind == "organization" && e.Target.ID == e.OrganizationID
	seats := (e.Type == "invites" || e.Type == "access") && e.Target.Kind == "member"
	if !own && !seats || e.Actor.Kind == "product" || s.Deleted || e.Action == "usage_adjusted" || slices.Contains(s.Ahead, e.Number) || e.Action != "organization_created" && !s.Made {
		return
	}
	at := max(counterfoil.At(e.Timestamp), s.At)
	s.Advance(at)
	s.At = at
	var m metadata
	_ = json.Unmarshal(e.Metadata, &m) // our own events; what cannot be read says nothing
	switch {
	case seats:
		s.applySeat(e, m)
	case e.Action == "organization_created":
		s.create(e, m, at)
	case e.Action == "organization_deleted":
		s.delete(at)
	default:
		s.edit(m, at)
	}
	if at == Start(s.Day) { // what was before the first moment of a period is not in it
		s.day = s.begin(s.day)
		if month(s.Day-1) != month(s.Day) {
			s.Month = s.begin(s.Month)
		}
	}
}

func (s *State) create(e *counterfoil.Event, m metadata, at counterfoil.Instant) {
	s.Made, s.Organization, s.Name, s.Plan, s.License, s.Status, s.Provider = true, e.OrganizationID, m.Name, m.Plan, m.License, counterfoil.OrgActive, m.ManagedBy
	s.beginTrial(m.TrialEnd, at)
	s.Day, s.At = Day(at), at
	s.Month, s.day = map[string]*account{}, map[string]*account{}
	s.each(func(accounts map[string]*account) { accounts[s.Provider] = s.open(nil) })
}

func (s *State) beginTrial(end *time.Time, at counterfoil.Instant) {
	if s.License != counterfoil.LicenseTrial {
		return
	}
	s.TrialEnd = at.Plus(counterfoil.TrialSeconds)
	if end != nil {
		s.TrialEnd = counterfoil.At(*end)
	}
}

func (s *State) applySeat(e *counterfoil.Event, m metadata) {
	text := func(raw json.RawMessage) (status counterfoil.MemberStatus) {
		_ = json.Unmarshal(raw, &status)
		return status
	}
	switch status := text(m.After); {
	case e.Action == "user_invited" && text(m.Status) == counterfoil.MemberActive, e.Action == "user_invite_accepted", e.Action == "user_status_updated" && status == counterfoil.MemberActive:
		s.set(e.Target.ID, active)
	case e.Action == "user_invited", e.Action == "user_status_updated" && status == counterfoil.MemberInvited:
		s.set(e.Target.ID, pending)
	case e.Action == "user_status_updated" && status == counterfoil.MemberSuspended:
		s.set(e.Target.ID, suspended)
	case e.Action == "user_invite_removed", e.Action == "user_invite_declined":
		s.set(e.Target.ID, deleted)
	}
}

// edit takes over what an event says has changed.
func (s *State) edit(m metadata, at counterfoil.Instant) {
	var after map[string]json.RawMessage
	if json.Unmarshal(m.After, &after) != nil {
		return
	}
	var next metadata
	_ = json.Unmarshal(m.After, &next)
	_ = json.Unmarshal(next.Status, &next.status)
	if next.Name != "" {
		s.Name = next.Name
	}
	if next.status != "" {
		s.Status = next.status
	}
	if next.Plan != "" && next.Plan != s.Plan {
		s.changePlan(next.Plan, at)
	}
	if over := s.License == counterfoil.LicenseTrial && s.TrialEnd <= at; next.License != "" && (next.License != s.License || over) {
		if s.License == counterfoil.LicenseTrial {
			s.TrialEnd = min(s.TrialEnd, at)
		}
		s.License = next.License
		s.beginTrial(next.TrialEnd, at)
		s.bill()
	}
	if _, moved := after["managed_by"]; moved && next.ManagedBy != s.Provider {
		s.move(next.ManagedBy, at)
	}
}

func (s *State) changePlan(plan string, at counterfoil.Instant) {
	s.Plan = plan
	s.each(func(accounts map[string]*account) {
		a := accounts[s.Provider]
		switch {
		case s.rank(plan) > s.rank(a.Plan):
			a.Plan, a.Raised, a.Lowered = plan, at, 0
		case plan != a.Plan && a.Lowered == 0:
			a.Lowered = at
		case plan == a.Plan:
			a.Lowered = 0
		}
	})
}

// rank orders plans; one that is configured no more is below all.
func (s *State) rank(plan string) int { return slices.Index(s.Plans, plan) }

func (s *State) move(to string, at counterfoil.Instant) {
	s.each(func(accounts map[string]*account) {
		from := accounts[s.Provider]
		next := s.open(from)
		s.end(from, "moved", at)
		if before := accounts[to]; before != nil { // it comes back within the period
			for member, was := range before.Seats {
				now, here := next.Seats[member]
				if !here {
					now = deleted
				}
				next.Seats[member] = now | was&(wasActive|wasBilled)
			}
			if s.rank(before.Plan) > s.rank(next.Plan) {
				next.Plan, next.Raised, next.Lowered = before.Plan, before.Raised, at
			}
		}
		accounts[to] = next
	})
	s.Provider = to
}

func (s *State) delete(at counterfoil.Instant) {
	s.each(func(accounts map[string]*account) {
		a := accounts[s.Provider]
		for member, now := range a.Seats {
			a.Seats[member] = now | deleted
		}
		s.end(a, "deleted", at)
	})
	s.Deleted = true
}

func (s *State) end(a *account, how string, at counterfoil.Instant) {
	a.Ended, a.At, a.License, a.TrialEnd = how, at, s.License, s.TrialEnd
}

// each runs fn on the accounts of the month and of the day.
func (s *State) each(fn func(map[string]*account)) {
	fn(s.Month)
	fn(s.day)
}

// set makes a seat what it is from now on.
func (s *State) set(member string, now seat) {
	s.each(func(accounts map[string]*account) {
		seats := accounts[s.Provider].Seats
		seats[member] = s.marked(now | seats[member]&^class)
	})
}

// marked notes of an active seat that it is, and whether it is billed.
func (s *State) marked(x seat) seat {
	if x&class == active {
		x |= wasActive
		if s.License == counterfoil.LicenseStandard {
			x |= wasBilled
		}
	}
	return x
}

// bill notes the active seats after a change of the licence.
func (s *State) bill() {
	s.each(func(accounts map[string]*account) {
		seats := accounts[s.Provider].Seats
		for member, x := range seats {
			seats[member] = s.marked(x)
		}
	})
}

// open begins an account with the seats that another ends with; nil: with none.
func (s *State) open(from *account) *account {
	a := &account{Plan: s.Plan, First: s.Plan, Seats: map[string]seat{}}
	if from != nil {
		for member, x := range from.Seats {
			if x&class != deleted {
				a.Seats[member] = s.marked(x & class)
			}
		}
	}
	return a
}

// begin opens the accounts of a period that begins.
func (s *State) begin(before map[string]*account) map[string]*account {
	if s.Deleted || !s.Made {
		return map[string]*account{}
	}
	return map[string]*account{s.Provider: s.open(before[s.Provider])}
}

// Advance lets time pass up to a moment: days and months end, and trials. A trial that ends at that very moment is still on, so
// that what happens at the moment comes first: a seat that is suspended, or moved, just then was never billed.
func (s *State) Advance(to counterfoil.Instant) {
	if !s.Made {
		return
	}
	for s.Day < Day(to) {
		s.endTrial(Start(s.Day+1) - 1)
		s.close(s.day, false)
		last := month(s.Day) != month(s.Day+1)
		if last {
			s.close(s.Month, true)
		}
		s.Day++
		s.day = s.begin(s.Month)
		if last {
			s.Month = map[string]*account{}
			for provider, a := range s.day {
				copied := *a
				copied.Seats = maps.Clone(a.Seats)
				s.Month[provider] = &copied
			}
		}
	}
	s.endTrial(to - 1)
}

func (s *State) endTrial(to counterfoil.Instant) {
	if s.License == counterfoil.LicenseTrial && s.TrialEnd <= to && !s.Deleted {
		s.License = counterfoil.LicenseStandard
		s.bill()
	}
}

func (s *State) close(accounts map[string]*account, monthly bool) {
	if s.Closed == nil {
		return
	}
	for _, provider := range slices.Sorted(maps.Keys(accounts)) {
		if provider != "" {
			s.Closed(provider, s.row(accounts[provider], monthly))
		}
	}
}
