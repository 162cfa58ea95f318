package registry

import (
	"cmp"
	"context"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/secret"
	"github.com/counterfoil/counterfoil/internal/store"
	"github.com/counterfoil/counterfoil/judge"
)

var shortKinds = map[counterfoil.Kind]string{
	counterfoil.KindPersonal: "pat", counterfoil.KindOrganization: "org", counterfoil.KindIntegration: "int", counterfoil.KindSystem: "sys",
}

// CreateToken makes a token in org; the empty organization makes a system token. The secret is in the answer and nowhere
// else (P2, P3, P4, H2, N2).
func (r *Registry) CreateToken(ctx context.Context, c Caller, org string, draft counterfoil.Draft) (counterfoil.Created, error) {
	op := OpCreateToken
	if org == "" {
		op = OpCreateSystemToken
	}
	return create(r, ctx, c, org, op, func(w *work) (counterfoil.Created, string, error) {
		created, err := w.createToken(draft)
		return created, created.Token.ID, err
	})
}

func (w *work) createToken(draft counterfoil.Draft) (created counterfoil.Created, err error) {
	problems := nameProblem("/name", draft.Name)
	problems = append(problems, w.kindProblems(draft.Kind)...)
	ownerID := ""
	switch {
	case draft.Owner != "" && (!w.system() || draft.Kind != counterfoil.KindPersonal):
		problems = append(problems, invalid("/owner", "only a system token names an owner, and only for a personal token"))
	case draft.Kind != counterfoil.KindPersonal:
	case w.system() && draft.Owner == "":
		problems = append(problems, invalid("/owner", "name the member (mem_…) that the personal token is for"))
	case w.system():
		ownerID = draft.Owner
	case w.member.ID == "":
		problems = append(problems, invalid("/kind", "a personal token is made by its member, or by a system token for one"))
	default:
		ownerID = w.member.ID
	}
	if (draft.Kind != counterfoil.KindPersonal || w.member.ID == "") && !w.has(counterfoil.PermTokensWrite) {
		return created, lacking(counterfoil.PermTokensWrite)
	}
	var owner *store.Member
	var holder *judge.Holder
	if ownerID != "" {
		if owner, err = w.owner(ownerID); err != nil {
			return created, err
		}
		if owner.UserID == "" {
			problems = append(problems, invalid("/owner", "there is no such member in this organization"))
		}
		holder = w.holderOf(*owner)
	}
	if w.barred(draft.Kind) {
		return created, errNoIntegrations
	}
	ask := judge.Ask{Kind: draft.Kind, Integration: draft.Integration, Name: draft.Name, Permissions: draft.Permissions, ExpiresIn: draft.ExpiresIn, IPFilter: w.filterID(draft.IPFilter)}
	if draft.ExpiresAt != nil {
		at := counterfoil.At(*draft.ExpiresAt)
		ask.ExpiresAt = &at
	}
	holds := w.grantsTo(draft.Kind)
	terms, found := judge.Grant(ask, holds, holder, &w.under().Rules, w.tx.Now())
	if err := counterfoil.Invalid(merge(problems, found)); err != nil {
		return created, err
	}
	value := secret.Mint(w.r.Prefix, shortKinds[draft.Kind])
	keyID := w.r.Keys.Current()
	digest, _ := w.r.Keys.Digest(keyID, value.Reveal())
	t := store.Token{
		ID: "tok_" + value.ID(), Organization: w.tx.Organization(), Kind: draft.Kind, Integration: draft.Integration, Owner: ownerID, Name: draft.Name,
		Hint: value.Hint(), Permissions: terms.Permissions, IPFilter: ask.IPFilter, Digest: digest, KeyID: keyID,
		CreatedAt: w.tx.Now(), CreatedBy: w.actorID(), RenewedAt: w.tx.Now(), ExpiresAt: terms.ExpiresAt,
	}
	if err := w.tx.InsertToken(t); err != nil {
		return created, err
	}
	w.recordToken(t, "token_created", map[string]any{"kind": t.Kind, "permissions": t.Permissions, "expires_at": t.ExpiresAt.Ptr()})
	created = counterfoil.Created{Token: w.faceOf(store.ListedToken{Token: t}, owner), Secret: value.Reveal()}
	if draft.Kind == counterfoil.KindIntegration {
		created.DataCenter = w.rules.Org.DataCenter
		if draft.Integration != counterfoil.IntegrationSplunk {
			base := w.r.URL
			if created.DataCenter != w.r.DataCenter {
				base = w.r.DataCenters[created.DataCenter]
			}
			created.ActivityURL = strings.TrimSuffix(base, "/") + "/activities/query"
		}
	}
	return created, nil
}

func (w *work) kindProblems(kind counterfoil.Kind) []counterfoil.Problem {
	inInstance := w.tx.Organization() == ""
	switch {
	case inInstance && kind != counterfoil.KindSystem:
		return []counterfoil.Problem{invalid("/kind", "only system tokens belong to the instance")}
	case !inInstance && kind == counterfoil.KindSystem:
		return []counterfoil.Problem{invalid("/kind", "a system token belongs to the instance: POST /v1/system/tokens")}
	}
	return nil
}

// merge adds the judge's problems to the registry's, leaving out what was said of the same place already.
func merge(first, second []counterfoil.Problem) []counterfoil.Problem {
	said := map[string]bool{}
	for _, p := range first {
		said[p.Pointer] = true
	}
	for _, p := range second {
		if !said[p.Pointer] {
			first = append(first, p)
		}
	}
	return first
}

// filterID turns the name of a filter into its id; what is unknown stays as it is, for the judge to refuse.
func (w *work) filterID(idOrName string) string {
	if idOrName == "" {
		return ""
	}
	if f, ok := w.under().IPFilter(idOrName); ok {
		return f.ID
	}
	return idOrName
}

// actorID is who did it, for created_by and revoked_by: the member behind a personal token, or the token.
func (w *work) actorID() string {
	switch {
	case w.caller.operator:
		return "operator"
	case w.visitor != nil:
		return w.visitor.ID
	case w.member.ID != "":
		return w.member.ID
	case w.caller.ProviderKey != "":
		return w.caller.ProviderKey
	}
	return w.caller.TokenID
}

// recordToken appends an event of a token's life under the names that the log's readers know (N9).
func (w *work) recordToken(t store.Token, action string, metadata map[string]any) {
	typ := "tokens"
	if t.Kind == counterfoil.KindIntegration && (action == "token_created" || action == "token_revoked") {
		typ, action = "integrations", "activities_"+action
	}
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["token"] = map[string]any{"id": t.ID, "name": t.Name, "hint": t.Hint}
	kind := "token"
	if action == "token_revoked" {
		kind = revokedKind
	}
	w.record(typ, action, counterfoil.Target{Kind: kind, ID: t.ID, Name: t.Name}, metadata)
}

// revokedKind is what a revoked token is called in the log. Only the linker sets another, in the build that stands for the
// next version in the test of a rolling upgrade.
var revokedKind = "token"

// TokenQuery narrows a list of tokens; see the route's query parameters.
type TokenQuery struct {
	Kind     counterfoil.Kind
	Status   counterfoil.Status
	Owner    string
	IPFilter string
	Text     string
	Sort     string
	Cursor   string
	Limit    int

	Integration counterfoil.Integration
	Expiring    bool // active ones that expire within 14 days
	Unused      bool // active ones that were not used for 90 days
}

// ListTokens lists an organization's tokens, or the system tokens for the empty organization. A caller without
// counterfoil.tokens:read sees their own personal tokens (P1, H1).
func (r *Registry) ListTokens(ctx context.Context, c Caller, org string, q TokenQuery) (page counterfoil.Page[counterfoil.Token], err error) {
	op := OpListTokens
	if org == "" {
		op = OpListSystemTokens
	}
	if q.Sort == "last_used_at" && q.Cursor == "" {
		_ = r.writeNotedUses() // the list goes by what is written
	}
	page.Data = []counterfoil.Token{}
	err = r.view(ctx, c, org, op, func(w *work) error {
		f, ok, err := w.tokenFilter(q)
		if err != nil || !ok {
			return err
		}
		list, next, err := w.tx.Tokens(f)
		if err != nil {
			return cursorError(err)
		}
		owners := map[string]*store.Member{}
		for _, t := range list {
			if t.Owner != "" && owners[t.Owner] == nil {
				if owners[t.Owner], err = w.owner(t.Owner); err != nil {
					return err
				}
			}
			page.Data = append(page.Data, w.faceOf(t, owners[t.Owner]))
		}
		if next != "" {
			page.NextCursor = &next
		}
		return nil
	})
	return page, err
}

// tokenFilter turns a query into what the store lists; false: nothing that this caller sees.
func (w *work) tokenFilter(q TokenQuery) (f store.TokenFilter, ok bool, err error) {
	f = store.TokenFilter{Kind: q.Kind, Integration: q.Integration, Status: q.Status, Owner: q.Owner, IPFilter: w.filterID(q.IPFilter), Text: q.Text,
		Sort: cmp.Or(q.Sort, "created_at"), Cursor: q.Cursor, Limit: q.Limit, MaxLifetime: w.longest()}
	if q.Expiring {
		f.Status, f.ExpiresBy = counterfoil.StatusActive, w.tx.Now().Plus(soonDays*daySeconds)
	}
	if q.Unused {
		f.Status, f.UnusedSince = counterfoil.StatusActive, w.tx.Now().Plus(-unusedDays*daySeconds)
	}
	if !w.has(counterfoil.PermTokensRead) {
		if w.member.ID == "" {
			return f, false, lacking(counterfoil.PermTokensRead)
		}
		if q.Owner != "" && q.Owner != w.member.ID {
			return f, false, nil
		}
		f.Owner = w.member.ID
	}
	return f, true, nil
}

// longest is the longest lifetime in seconds of each kind that has one.
func (w *work) longest() map[counterfoil.Kind]int64 {
	out := map[counterfoil.Kind]int64{}
	for _, p := range w.under().Policies {
		if p.MaxLifetimeSeconds != nil {
			out[p.Kind] = *p.MaxLifetimeSeconds
		}
	}
	return out
}

// Token shows one token.
func (r *Registry) Token(ctx context.Context, c Caller, org, id string) (face counterfoil.Token, err error) {
	op := OpReadToken
	if org == "" {
		op = OpReadSystemToken
	}
	err = r.view(ctx, c, org, op, func(w *work) error {
		t, found, err := w.tx.Token(id)
		if err != nil {
			return err
		}
		if !found || !w.maySee(t) {
			return errNotFound
		}
		face, err = w.face(t)
		return err
	})
	return face, err
}

// CurrentToken shows the presented token.
func (r *Registry) CurrentToken(ctx context.Context, c Caller) (face counterfoil.Token, err error) {
	err = r.view(ctx, c, c.Organization, OpReadSelf, func(w *work) error {
		t, found, err := w.tx.Token(c.TokenID)
		if err != nil {
			return err
		}
		if !found {
			return errNotFound
		}
		face, err = w.face(t)
		return err
	})
	return face, err
}

func (w *work) own(t store.Token) bool { return t.Owner != "" && t.Owner == w.member.ID }

func (w *work) maySee(t store.Token) bool { return w.own(t) || w.has(counterfoil.PermTokensRead) }
