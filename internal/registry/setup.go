package registry

import (
	"context"
	"errors"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/catalogue"
	"github.com/counterfoil/counterfoil/internal/store"
)

// ErrSetUp says that the database was prepared before.
var ErrSetUp = errors.New("this database is set up already; nothing was changed")

// setupSetting is present once the instance is set up.
const setupSetting = "set_up"

// SetupRequest is what an empty database is prepared with.
type SetupRequest struct {
	Organization string // name of the first organization
	Email        string // of its owner
	Catalogue    string // text of the catalogue file; may be empty
	Name         string // of its owner; default: what is before the @ of Email

	// Within, if not nil, runs in the same transaction once the owner is there, whom it gives a way to sign in.
	Within   func(tx *store.Tx, owner counterfoil.Member) error
	NoTokens bool // make none: the owner signs in
	From     Origin
}

// SetupAnswer holds the first two tokens. Both expire in 24 hours.
type SetupAnswer struct {
	Organization struct {
		ID   string `json:"id"`
		Slug string `json:"slug"`
	} `json:"organization"`
	Owner struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	} `json:"owner"`
	OwnerToken  string `json:"owner_token"`
	SystemToken string `json:"system_token"`
}

const setupTokenLife = 24 * 60 * 60

// SetUp prepares an empty database: the catalogue, an organization with one owner, a token for the owner that holds
// every permission a personal token can hold, and a system token that holds every permission. All of it happens, or
// nothing.
func (r *Registry) SetUp(ctx context.Context, q SetupRequest) (answer SetupAnswer, err error) {
	problems := nameProblem("/organization", q.Organization)
	if !validEmail(q.Email) {
		problems = append(problems, invalid("/email", "this is not an e-mail address"))
	}
	if q.Name != "" {
		problems = append(problems, personNameProblem("/name", q.Name)...)
	}
	if err := counterfoil.Invalid(problems); err != nil {
		return answer, err
	}
	parsed, err := catalogue.Parse([]byte(q.Catalogue))
	if err != nil {
		return answer, err
	}
	r.applying.Lock() // who comes second must not put back what was in force before the first
	defer r.applying.Unlock()
	inForce, text := r.Rules.InForce.Get()
	r.Rules.InForce.Set(parsed, q.Catalogue)
	_, err = r.do(ctx, q.From.operator(), "", OpCreateOrganization, func(w *work) error {
		fresh, err := w.tx.SetSettingOnce(setupSetting, w.tx.Now().Time().Format("2006-01-02T15:04:05Z07:00"))
		if err != nil {
			return err
		}
		if !fresh {
			return errAlreadySetUp
		}
		if err := w.tx.SetSetting(catalogueSetting, q.Catalogue); err != nil {
			return err
		}
		return w.setUp(q, &answer)
	})
	if err != nil {
		r.Rules.InForce.Set(inForce, text)
		if errors.Is(err, errAlreadySetUp) && strings.Contains(err.Error(), errAlreadySetUp.Detail) {
			return SetupAnswer{}, ErrSetUp
		}
		return SetupAnswer{}, err
	}
	return answer, nil
}

var errAlreadySetUp = counterfoil.Refuse(counterfoil.CodeInUse, "set up already")

// IsSetUp reports whether the instance was prepared.
func (r *Registry) IsSetUp(ctx context.Context) (bool, error) {
	_, found, err := r.Store.Setting(ctx, setupSetting)
	return found, err
}

// SetupOwnerToken is the name of the owner's token that a set-up makes.
const SetupOwnerToken = "setup: owner"

func (w *work) setUp(q SetupRequest, answer *SetupAnswer) error {
	o, err := w.createOrganization(counterfoil.OrganizationDraft{Name: q.Organization}, nil)
	if err != nil {
		return err
	}
	answer.Organization.ID, answer.Organization.Slug = o.ID, o.Slug
	life := int64(setupTokenLife)
	err = w.tx.In(o.ID, func(tx *store.Tx) error {
		name := q.Name
		if name == "" {
			name, _, _ = strings.Cut(q.Email, "@")
		}
		m, err := tx.InsertMember(counterfoil.Member{Email: q.Email, Name: name, Roles: []string{counterfoil.RoleOwner}, Status: counterfoil.MemberActive})
		if err != nil {
			return err
		}
		answer.Owner.ID, answer.Owner.Email = m.ID, m.Email
		w.recordFor(tx, "invites", "user_invited", memberTarget(m.Member), map[string]any{"email": m.Email, "roles": m.Roles, "status": m.Status})
		if q.Within != nil {
			if err := q.Within(tx, m.Member); err != nil {
				return err
			}
		}
		if q.NoTokens {
			return nil
		}
		inside := *w
		if inside.rules, err = w.r.Rules.Within(tx); err != nil {
			return err
		}
		created, err := inside.createToken(counterfoil.Draft{Kind: counterfoil.KindPersonal, Name: SetupOwnerToken, Owner: m.ID, ExpiresIn: &life,
			Permissions: inside.rules.Catalogue.ForKind(counterfoil.KindPersonal)})
		answer.OwnerToken = created.Secret
		return err
	})
	if err != nil || q.NoTokens {
		return err
	}
	created, err := w.createToken(counterfoil.Draft{Kind: counterfoil.KindSystem, Name: "setup: system", ExpiresIn: &life, Permissions: w.r.Rules.InForce.Catalogue().All()})
	answer.SystemToken = created.Secret
	return err
}

// cursorError turns a cursor that is not of this list into the caller's mistake.
func cursorError(err error) error {
	if errors.Is(err, store.ErrCursor) {
		return counterfoil.Invalid([]counterfoil.Problem{invalid("?cursor", "the cursor does not belong to this list: pass next_cursor back unchanged, with the same sort")})
	}
	return err
}
