package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func webhookPages() []page {
	const read, write = counterfoil.PermExportsRead, counterfoil.PermExportsWrite
	const all, one = "/o/{org}/webhooks", "/o/{org}/webhooks/{id}"
	return []page{
		{method: get, path: all, who: member, needs: read, show: (*visit).webhooks},
		{method: get, path: all + "/new", who: member, needs: write, fresh: true, show: (*visit).newWebhook},
		{method: post, path: all + "/new", who: member, needs: write, fresh: true, form: "/webhooks/new", show: (*visit).createWebhook},
		{method: get, path: one, who: member, needs: read, show: (*visit).webhook},
		{method: get, path: one + "/edit", who: member, needs: write, fresh: true, show: (*visit).editWebhook},
		{method: post, path: one + "/edit", who: member, needs: write, fresh: true, form: "/webhooks", show: (*visit).saveWebhook},
		{method: post, path: one + "/enabled", who: member, needs: write, fresh: true, form: "/webhooks", show: (*visit).switchWebhook},
		{method: get, path: one + "/rotate", who: member, needs: write, fresh: true, show: (*visit).askRotateWebhook},
		{method: post, path: one + "/rotate", who: member, needs: write, fresh: true, form: "/webhooks", show: (*visit).rotateWebhook},
		{method: post, path: one + "/test", who: member, needs: write, form: "/webhooks", show: (*visit).testWebhook},
		{method: post, path: one + "/replay", who: member, needs: write, form: "/webhooks", show: (*visit).replayDelivery},
		{method: get, path: one + "/delete", who: member, needs: write, show: (*visit).askDeleteWebhook},
		{method: post, path: one + "/delete", who: member, needs: write, fresh: true, form: "/webhooks", show: (*visit).deleteWebhook},
	}
}

func (v *visit) webhookPath(id, rest string) string {
	return v.path("/webhooks/%s%s", url.PathEscape(id), rest)
}

func (v *visit) webhooks() error {
	all, err := v.c.Registry.Webhooks(v.r.Context(), v.caller(), v.org())
	if err != nil {
		return err
	}
	return v.show(200, "Webhooks", webhooksPage(v, all))
}

func (v *visit) findWebhook() (counterfoil.Webhook, error) {
	return v.c.Registry.Webhook(v.r.Context(), v.caller(), v.org(), v.r.PathValue("id"))
}

// webhookView is a webhook with a part of its deliveries.
type webhookView struct {
	*counterfoil.Webhook
	status counterfoil.DeliveryStatus // of the deliveries; empty: any
	page   counterfoil.Page[counterfoil.Delivery]
	paged  bool // not the first page
}

const deliveriesPerPage = 25

func (v *visit) webhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	w := &webhookView{Webhook: &h, status: counterfoil.DeliveryStatus(v.field("status")), paged: v.field("cursor") != ""}
	switch w.status {
	case counterfoil.DeliveryPending, counterfoil.DeliveryDelivered, counterfoil.DeliveryFailed:
	default:
		w.status = ""
	}
	w.page, err = v.c.Registry.Deliveries(v.r.Context(), v.caller(), v.org(), h.ID, registry.DeliveryQuery{Status: w.status, Cursor: v.field("cursor"), Limit: deliveriesPerPage})
	if err != nil {
		return err
	}
	return v.show(200, h.Name, webhookPage(v, w))
}

// webhookFields says which field of the form a member of the request is.
var webhookFields = map[string]string{"name": "name", "url": "url", "types": "types"}

func (v *visit) newWebhook() error {
	return v.show(200, "Create webhook", webhookFormPage(v, nil, filled()))
}

// typesField reads the types that were filled in, separated by blanks, commas or line ends.
func (v *visit) typesField() []string {
	return strings.FieldsFunc(v.field("types"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })
}

func (v *visit) createWebhook() error {
	draft := counterfoil.WebhookDraft{Name: v.field("name"), URL: v.field("url"), Types: v.typesField()}
	made, err := v.c.Registry.CreateWebhook(v.r.Context(), v.caller(), v.org(), draft)
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, webhookFields) {
			return err
		}
		return v.show(422, "Create webhook", webhookFormPage(v, nil, f))
	}
	return v.show(200, "Save the secret", webhookSecretPage(v, &made, false))
}

func (v *visit) editWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	return v.show(200, "Edit "+h.Name, webhookFormPage(v, &h, filled("name", h.Name, "url", h.URL, "types", strings.Join(h.Types, "\n"))))
}

func (v *visit) saveWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	name, address, types := v.field("name"), v.field("url"), v.typesField()
	_, err = v.c.Registry.EditWebhook(v.r.Context(), v.caller(), v.org(), h.ID, counterfoil.WebhookEdit{Name: &name, URL: &address, Types: &types})
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, webhookFields) {
			return err
		}
		return v.show(422, "Edit "+h.Name, webhookFormPage(v, &h, f))
	}
	return v.say(v.webhookPath(h.ID, ""), "good", "Saved. It holds for what is sent from now on.", nil)
}

func (v *visit) switchWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	on := v.field("enabled") == "true"
	if _, err := v.c.Registry.EditWebhook(v.r.Context(), v.caller(), v.org(), h.ID, counterfoil.WebhookEdit{Enabled: &on}); err != nil {
		return v.refused(v.webhookPath(h.ID, ""), err)
	}
	if on {
		return v.say(v.webhookPath(h.ID, ""), "good", "Enabled. It is sent what comes from now on, and what waited.", nil)
	}
	return v.say(v.webhookPath(h.ID, ""), "good", "Disabled. Nothing is sent until it is enabled.", nil)
}

func (v *visit) askRotateWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	return v.show(200, "Another secret for "+h.Name, rotateWebhookPage(v, &h, filled("grace", "86400")))
}

func (v *visit) rotateWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	f := newForm(v.r.PostForm)
	grace, err := strconv.ParseInt(f.get("grace"), 10, 64)
	if err != nil || grace < 0 || grace > registry.MaxGrace {
		f.wrong("grace", "choose until when the present secret signs as well")
		return v.show(422, "Another secret for "+h.Name, rotateWebhookPage(v, &h, f))
	}
	made, err := v.c.Registry.RotateWebhook(v.r.Context(), v.caller(), v.org(), h.ID, counterfoil.WebhookRotation{GraceSeconds: grace})
	if err != nil {
		return v.refused(v.webhookPath(h.ID, ""), err)
	}
	return v.show(200, "Save the new secret", webhookSecretPage(v, &made, true))
}

func (v *visit) testWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	got, err := v.c.Registry.TestWebhook(v.r.Context(), v.caller(), v.org(), h.ID)
	if err != nil {
		return v.refused(v.webhookPath(h.ID, ""), err)
	}
	if got.Error != "" {
		return v.say(v.webhookPath(h.ID, ""), "bad", "The test event was not taken. "+got.Error, nil)
	}
	return v.say(v.webhookPath(h.ID, ""), "good", "The test event was taken with "+strconv.Itoa(got.Status)+", in "+strconv.FormatFloat(got.TookMS, 'f', 0, 64)+" ms.", nil)
}

func (v *visit) replayDelivery() error {
	id := v.r.PathValue("id")
	if _, err := v.c.Registry.ReplayDelivery(v.r.Context(), v.caller(), v.org(), id, v.field("delivery")); err != nil {
		return v.refused(v.webhookPath(id, ""), err)
	}
	return v.say(v.webhookPath(id, ""), "good", "It is sent again now, under the same webhook-id.", nil)
}

func (v *visit) askDeleteWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	return v.show(200, "Delete "+h.Name, deleteWebhookPage(v, &h))
}

func (v *visit) deleteWebhook() error {
	h, err := v.findWebhook()
	if err != nil {
		return err
	}
	if err := v.c.Registry.DeleteWebhook(v.r.Context(), v.caller(), v.org(), h.ID); err != nil {
		return v.refused(v.webhookPath(h.ID, ""), err)
	}
	return v.say(v.path("/webhooks"), "good", "Deleted “"+h.Name+"”, with what waited for it.", nil)
}

// webhookHealth says how a webhook does: a tone and a word.
func webhookHealth(h *counterfoil.Webhook) (tone, word string) {
	switch {
	case !h.Enabled && h.DisabledReason == counterfoil.WebhookSwitchedOff:
		return "", "Disabled"
	case !h.Enabled:
		return "bad", "Disabled"
	case h.FailingSince != nil:
		return "warn", "Failing"
	}
	return "good", "Enabled"
}

// disabledWords say why a webhook is disabled.
func disabledWords(reason counterfoil.WebhookReason) string {
	switch reason {
	case counterfoil.WebhookGone:
		return "It answered that it is gone for good (410), so it was disabled."
	case counterfoil.WebhookFailing:
		return "Nothing could be delivered to it for three days, so it was disabled."
	case counterfoil.WebhookBehind:
		return "It took nothing while 50,000 deliveries gathered, so it was disabled."
	}
	return "Somebody disabled it."
}

func typeWords(types []string) string {
	if len(types) == 0 {
		return "Every event"
	}
	return strings.Join(types, ", ")
}

func deliveryBadge(d *counterfoil.Delivery) (tone, word string) {
	switch d.Status {
	case counterfoil.DeliveryDelivered:
		return "good", "Delivered"
	case counterfoil.DeliveryFailed:
		return "bad", "Failed"
	}
	if d.LastAttempt != nil {
		return "warn", "Trying again"
	}
	return "", "Waiting"
}

// hostOf is where an address leads: the whole of it may hold a secret, and lists show it to more than those who set it.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}
