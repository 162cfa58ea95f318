package store

import "github.com/counterfoil/counterfoil"

// Ticket is a one-time thing that waits for whoever holds its value: a link, a sign-in half done, a ceremony under way.
type Ticket struct {
	Kind         string
	User         string // usr_…; empty where nobody is known yet
	Organization string // may be empty
	Data         string // JSON; what it means is the business of whoever made it
	CreatedAt    counterfoil.Instant
	ExpiresAt    counterfoil.Instant
}

// The kinds of tickets that more than one package knows.
const (
	TicketInvitation = "invitation"      // Data: {"member"}
	TicketReset      = "password_reset"  // Organization: the one whose admin made it; empty: it was mailed
	TicketConsole    = "console_session" // Data: {"member","return_url"}
	TicketSignIn     = "sign_in"         // a sign-in that is half done
)

const ticketColumns = "kind, user_id, organization, data, created_at, expires_at"

func scanTicket(r scanner) (t Ticket, err error) {
	return t, r.Scan(&t.Kind, &t.User, &t.Organization, &t.Data, &t.CreatedAt, &t.ExpiresAt)
}

// Ticket finds a ticket of a kind that has not expired, and leaves it. It crosses organizations: its value names none.
func (tx *Tx) Ticket(kind string, digest []byte) (Ticket, bool, error) {
	return find(tx.q, scanTicket, "SELECT "+ticketColumns+" FROM tickets WHERE digest=$1 AND kind=$2 AND expires_at > $3", digest, kind, int64(tx.now))
}

// TakeTicket finds a ticket of a kind that has not expired and removes it: of those who ask at the same time one gets it.
// It crosses organizations: its value names none.
func (tx *Tx) TakeTicket(kind string, digest []byte) (Ticket, bool, error) {
	t, found, err := tx.TicketForUpdate(kind, digest)
	if err != nil || !found {
		return Ticket{}, false, err
	}
	if found, err = tx.DeleteTicket(digest); err != nil || !found {
		return Ticket{}, false, err
	}
	return t, true, nil
}

// InsertTicket adds a ticket under the digest of its value. It crosses organizations: a ticket names its own.
func (tx *Tx) InsertTicket(t Ticket, digest []byte) error {
	_, err := tx.q.exec("INSERT INTO tickets (digest, "+ticketColumns+") VALUES ($1,$2,$3,$4,$5,$6,$7)",
		digest, t.Kind, t.User, t.Organization, t.Data, int64(tx.now), int64(t.ExpiresAt))
	return err
}

// TicketForUpdate is Ticket for a transaction that goes on to change it.
func (tx *Tx) TicketForUpdate(kind string, digest []byte) (Ticket, bool, error) {
	return find(tx.q, scanTicket, "SELECT "+ticketColumns+" FROM tickets WHERE digest=$1 AND kind=$2 AND expires_at > $3"+tx.q.forUpdate(),
		digest, kind, int64(tx.now))
}

// DeleteTicket removes a ticket; false: there is none. It crosses organizations: its value names none.
func (tx *Tx) DeleteTicket(digest []byte) (bool, error) {
	n, err := tx.q.exec("DELETE FROM tickets WHERE digest=$1", digest)
	return n == 1, err
}

// SetTicketData changes what a ticket remembers. It crosses organizations: its value names none.
func (tx *Tx) SetTicketData(digest []byte, data string) error {
	_, err := tx.q.exec("UPDATE tickets SET data=$1 WHERE digest=$2", data, digest)
	return err
}

// DeleteTickets removes the tickets of a kind that a person has, in one organization or, with none named, in all. It
// crosses organizations: tickets are a person's.
func (tx *Tx) DeleteTickets(kind, user, organization string) error {
	_, err := tx.q.exec("DELETE FROM tickets WHERE kind=$1 AND user_id=$2 AND ($3 = '' OR organization = $3)", kind, user, organization)
	return err
}
