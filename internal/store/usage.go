package store

import (
	"github.com/counterfoil/counterfoil"
)

// UsageState is how far an organization's usage was reckoned: through the end of the day before Day, and the events up to
// Seq, but for those of a later time. State is whatever the reckoner keeps.
type UsageState struct {
	Day, Seq int64
	State    string
}

// UsageRow is the final figures of one organization for one provider in a period. Periods sort as text.
type UsageRow struct {
	Provider, Period, Organization string
	Figures                        string
}

// UsageState finds how far the usage of the transaction's organization was reckoned.
func (tx *Tx) UsageState() (UsageState, bool, error) {
	return find(tx.q, func(r scanner) (u UsageState, err error) { return u, r.Scan(&u.Day, &u.Seq, &u.State) },
		"SELECT day, seq, state FROM usage_states WHERE organization = $1", tx.org)
}

// SaveUsageState stores how far the usage of the transaction's organization was reckoned; one that is further already stays.
func (tx *Tx) SaveUsageState(u UsageState) error {
	_, err := tx.q.exec(`INSERT INTO usage_states (organization, day, seq, state) VALUES ($1,$2,$3,$4) ON CONFLICT (organization)
		DO UPDATE SET day = excluded.day, seq = excluded.seq, state = excluded.state WHERE usage_states.day < excluded.day`, tx.org, u.Day, u.Seq, u.State)
	return err
}

// SaveUsageRow stores final figures of the transaction's organization. What is there already stays: final is final.
func (tx *Tx) SaveUsageRow(row UsageRow) error {
	_, err := tx.q.exec("INSERT INTO usage_rows (provider, period, organization, figures) VALUES ($1,$2,$3,$4) ON CONFLICT DO NOTHING",
		row.Provider, row.Period, tx.org, row.Figures)
	return err
}

// UsageRows lists final figures of the transaction's organization, a provider, by period and organization: of the periods
// from and through the given ones, after the given row.
func (tx *Tx) UsageRows(from, through, afterPeriod, afterOrganization, organization string, limit int) ([]UsageRow, error) {
	w := where{}
	w.add("provider = ?", tx.org)
	w.add("period <= ?", through)
	if afterPeriod >= from { // with both, SQLite would begin at from, for each page again
		w.add("(period, organization) > (?, ?)", afterPeriod, afterOrganization)
	} else {
		w.add("period >= ?", from)
	}
	if organization != "" {
		w.add("organization = ?", organization)
	}
	return collect(tx.q, func(r scanner) (row UsageRow, err error) {
		row.Provider = tx.org
		return row, r.Scan(&row.Period, &row.Organization, &row.Figures)
	}, "SELECT period, organization, figures FROM usage_rows WHERE "+w.sql()+" ORDER BY period, organization"+w.bind(" LIMIT ?", limit), w.args...)
}

// UsageRow finds final figures of an organization for the transaction's organization, a provider.
func (tx *Tx) UsageRow(period, organization string) (UsageRow, bool, error) {
	return find(tx.q, func(r scanner) (UsageRow, error) {
		row := UsageRow{Provider: tx.org, Period: period, Organization: organization}
		return row, r.Scan(&row.Figures)
	}, "SELECT figures FROM usage_rows WHERE provider = $1 AND period = $2 AND organization = $3", tx.org, period, organization)
}

// UsageAdjustment is one correction of the final figures of the period Corrects, made in Period. Periods sort as text, and ids
// by age.
type UsageAdjustment struct {
	ID, Period, Organization, Corrects string
	Figures                            string
}

// InsertAdjustment adds a correction of what the transaction's organization, a provider, was billed.
func (tx *Tx) InsertAdjustment(a UsageAdjustment) error {
	_, err := tx.q.exec("INSERT INTO usage_adjustments (provider, period, organization, id, corrects, figures) VALUES ($1,$2,$3,$4,$5,$6)",
		tx.org, a.Period, a.Organization, a.ID, a.Corrects, a.Figures)
	return err
}

const adjustmentColumns = "id, period, organization, corrects, figures"

func scanAdjustment(r scanner) (a UsageAdjustment, err error) {
	return a, r.Scan(&a.ID, &a.Period, &a.Organization, &a.Corrects, &a.Figures)
}

// AdjustmentsOf lists the corrections of an organization's final period, oldest first.
func (tx *Tx) AdjustmentsOf(corrects, organization string) ([]UsageAdjustment, error) {
	return collect(tx.q, scanAdjustment, "SELECT "+adjustmentColumns+" FROM usage_adjustments WHERE provider = $1 AND corrects = $2 AND organization = $3 ORDER BY id",
		tx.org, corrects, organization)
}

// Adjustments lists corrections by the period in which they were made, organization and age: of the periods from and through
// the given ones, after the given one.
func (tx *Tx) Adjustments(from, through string, after UsageAdjustment, organization string, limit int) ([]UsageAdjustment, error) {
	w := where{}
	w.add("provider = ?", tx.org)
	w.add("period <= ?", through)
	if after.Period >= from {
		w.add("(period, organization, id) > (?, ?, ?)", after.Period, after.Organization, after.ID)
	} else {
		w.add("period >= ?", from)
	}
	if organization != "" {
		w.add("organization = ?", organization)
	}
	return collect(tx.q, scanAdjustment, "SELECT "+adjustmentColumns+" FROM usage_adjustments WHERE "+w.sql()+" ORDER BY period, organization, id"+w.bind(" LIMIT ?", limit), w.args...)
}

// EverManaged lists the ids of the organizations that the transaction's organization manages or ever managed.
func (tx *Tx) EverManaged(after string, limit int) ([]string, error) {
	return collect(tx.q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		"SELECT organization FROM provider_history WHERE provider = $1 AND organization > $2 ORDER BY organization LIMIT $3", tx.org, after, limit)
}

// UsageDue lists organizations that a provider ever managed and whose usage is not reckoned up to a day. It crosses
// organizations: it is the instance's own housekeeping.
func (tx *Tx) UsageDue(day int64, after string, limit int) ([]string, error) {
	return collect(tx.q, func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		`SELECT DISTINCT h.organization FROM provider_history h LEFT JOIN usage_states s ON s.organization = h.organization
		WHERE h.organization > $1 AND COALESCE(s.day, 0) < $2 ORDER BY h.organization LIMIT $3`, after, day, limit)
}

// UsageEvents lists the events of the transaction's organization after a number that are of the given types, in their order; those
// that cannot be read are of DamagedKind, and of no time.
func (tx *Tx) UsageEvents(after int64, types []string) ([]counterfoil.Event, error) {
	var all []counterfoil.Event
	for _, t := range types {
		events, err := collect(tx.q, scanFollowed, "SELECT seq, body, hash FROM events"+tx.q.by("events_by_type")+" WHERE organization = $1 AND type = $2 AND seq > $3 ORDER BY seq", tx.org, t, after)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	return all, nil
}
