package registry

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/store"
)

const (
	mostWebhooks  = 20 // of an organization
	webhookAnswer = "webhook"
)

// Webhooks lists the organization's webhooks, oldest first.
func (r *Registry) Webhooks(ctx context.Context, c Caller, org string) (list []counterfoil.Webhook, err error) {
	list = []counterfoil.Webhook{}
	err = r.view(ctx, c, org, OpReadWebhooks, func(w *work) error {
		if w.rules == nil {
			return errNotFound
		}
		hooks, err := w.tx.Webhooks()
		for i := range hooks {
			list = append(list, webhookFace(&hooks[i], w.tx.Now()))
		}
		return err
	})
	return list, err
}

func webhookFace(h *store.Webhook, now counterfoil.Instant) counterfoil.Webhook {
	out := counterfoil.Webhook{ID: h.ID, Name: h.Name, URL: h.URL, Types: append([]string{}, h.Types...), Enabled: h.Disabled == "", DisabledReason: h.Disabled,
		FailingSince: h.FailingSince.Ptr(), CreatedAt: h.CreatedAt.Time(), CreatedBy: h.CreatedBy}
	if h.PreviousKeyID != 0 && now < h.PreviousUntil {
		out.PreviousSecretUntil = h.PreviousUntil.Ptr()
	}
	return out
}

// Webhook finds a webhook by id.
func (r *Registry) Webhook(ctx context.Context, c Caller, org, id string) (out counterfoil.Webhook, err error) {
	err = r.view(ctx, c, org, OpReadWebhooks, func(w *work) error {
		h, err := w.webhook(id)
		out = webhookFace(&h, w.tx.Now())
		return err
	})
	return out, err
}

// webhook finds a webhook of the organization, and locks it where something is to be changed.
func (w *work) webhook(id string) (h store.Webhook, err error) {
	find, found := w.tx.Webhook, false
	if w.changes {
		find = w.tx.WebhookForUpdate
	}
	if w.rules == nil {
		return h, errNotFound
	}
	if h, found, err = find(id); err == nil && !found {
		err = errNotFound
	}
	return h, err
}

// CreateWebhook adds a webhook. It is sent what is written from now on.
func (r *Registry) CreateWebhook(ctx context.Context, c Caller, org string, draft counterfoil.WebhookDraft) (counterfoil.WebhookCreated, error) {
	return create(r, ctx, c, org, OpCreateWebhook, func(w *work) (out counterfoil.WebhookCreated, _ string, err error) {
		if w.rules == nil {
			return out, "", errNotFound
		}
		if err := counterfoil.Invalid(w.webhookProblems(&draft.Name, &draft.URL, &draft.Types)); err != nil {
			return out, "", err
		}
		hooks, err := w.tx.Webhooks()
		if err != nil {
			return out, "", err
		}
		if len(hooks) >= mostWebhooks {
			return out, "", counterfoil.Invalid([]counterfoil.Problem{invalid("", fmt.Sprintf("an organization has at most %d webhooks; delete one that is not needed", mostWebhooks))})
		}
		h := store.Webhook{ID: store.NewID("whk"), Name: draft.Name, URL: draft.URL, Types: draft.Types, CreatedAt: w.tx.Now(), CreatedBy: w.actorID()}
		if h.Since, err = w.tx.LastNumber(); err != nil {
			return out, "", err
		}
		if out.Secret, h.KeyID, h.Sealed, err = r.WebhookSender.NewSecret(h.ID); err != nil {
			return out, "", err
		}
		if err := w.tx.InsertWebhook(h); err != nil {
			return out, "", err
		}
		w.recordWebhook(&h, map[string]any{"before": map[string]any{}, "after": map[string]any{"name": h.Name, "host": hostOf(h.URL), "types": draft.Types, "enabled": true}})
		out.Webhook = webhookFace(&h, w.tx.Now())
		return out, webhookAnswer, nil
	})
}

// recordWebhook says in the log what became of a webhook. An address may hold a secret in its path: of it the log names
// the host alone.
func (w *work) recordWebhook(h *store.Webhook, metadata map[string]any) {
	w.record("integrations", "webhook_updated", counterfoil.Target{Kind: "webhook", ID: h.ID, Name: h.Name}, metadata)
}

// EditWebhook changes a webhook.
func (r *Registry) EditWebhook(ctx context.Context, c Caller, org, id string, edit counterfoil.WebhookEdit) (out counterfoil.Webhook, err error) {
	_, err = r.do(ctx, c, org, OpEditWebhook, func(w *work) error {
		h, err := w.webhook(id)
		if err != nil {
			return err
		}
		if err := counterfoil.Invalid(w.webhookProblems(edit.Name, edit.URL, edit.Types)); err != nil {
			return err
		}
		var diff changed
		set(&h.Name, edit.Name, "name", &diff)
		if edit.URL != nil && *edit.URL != h.URL {
			diff.note("host", hostOf(h.URL), hostOf(*edit.URL))
			h.URL = *edit.URL
		}
		if edit.Types != nil && !slices.Equal(*edit.Types, h.Types) {
			diff.note("types", append([]string{}, h.Types...), *edit.Types)
			h.Types = *edit.Types
		}
		if on := h.Disabled == ""; edit.Enabled != nil && *edit.Enabled != on {
			diff.note("enabled", on, !on)
			if h.Disabled = ""; on {
				h.Disabled = counterfoil.WebhookSwitchedOff
			} else if h.Since, err = w.tx.LastNumber(); err != nil {
				return err
			}
		}
		if diff.any() {
			h.FailingSince, h.Failures, h.HeldUntil = 0, 0, 0 // it begins anew
			if err := w.tx.UpdateWebhook(h); err != nil {
				return err
			}
			w.recordWebhook(&h, diff.metadata())
		}
		out = webhookFace(&h, w.tx.Now())
		return nil
	})
	return out, err
}

// RotateWebhook gives a webhook another secret. The present one signs as well for the grace.
func (r *Registry) RotateWebhook(ctx context.Context, c Caller, org, id string, rotation counterfoil.WebhookRotation) (out counterfoil.WebhookCreated, err error) {
	_, err = r.do(ctx, c, org, OpRotateWebhook, func(w *work) error {
		h, err := w.webhook(id)
		if err != nil {
			return err
		}
		h.Previous, h.PreviousKeyID, h.PreviousUntil = nil, 0, 0
		if rotation.GraceSeconds > 0 {
			h.Previous, h.PreviousKeyID, h.PreviousUntil = h.Sealed, h.KeyID, w.tx.Now().Plus(rotation.GraceSeconds)
		}
		if out.Secret, h.KeyID, h.Sealed, err = r.WebhookSender.NewSecret(h.ID); err != nil {
			return err
		}
		if err := w.tx.UpdateWebhook(h); err != nil {
			return err
		}
		w.recordWebhook(&h, map[string]any{"secret": "rotated", "grace_seconds": rotation.GraceSeconds})
		out.Webhook = webhookFace(&h, w.tx.Now())
		return nil
	})
	return out, err
}

// DeleteWebhook removes a webhook with what waits for it.
func (r *Registry) DeleteWebhook(ctx context.Context, c Caller, org, id string) error {
	_, err := r.do(ctx, c, org, OpDeleteWebhook, func(w *work) error {
		h, err := w.webhook(id)
		if err != nil {
			return err
		}
		if err := w.tx.DeleteWebhook(h.ID); err != nil {
			return err
		}
		w.recordWebhook(&h, map[string]any{"before": map[string]any{"name": h.Name, "host": hostOf(h.URL)}, "after": nil})
		return nil
	})
	return err
}

// webhookProblems says what is wrong with what is given of a webhook.
func (w *work) webhookProblems(name, address *string, types *[]string) (problems []counterfoil.Problem) {
	if name != nil {
		problems = nameProblem("/name", *name)
	}
	if address != nil {
		if _, err := w.r.WebhookSender.Client.Check(*address); err != nil {
			problems = append(problems, invalid("/url", err.Error()))
		}
	}
	if types == nil {
		return problems
	}
	for i, t := range *types {
		typ, action, narrow := strings.Cut(t, "/")
		bad := typ == "" || narrow && action == "" || strings.Contains(action, "/") || utf8.RuneCountInString(t) > 100 ||
			strings.ContainsFunc(t, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
		if bad || slices.Contains((*types)[:i], t) {
			problems = append(problems, invalid(fmt.Sprintf("/types/%d", i), "give a type such as login, or one action of it such as login/user_login_failed, once"))
		}
	}
	return problems
}
