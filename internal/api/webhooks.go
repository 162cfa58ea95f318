package api

import (
	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

const tagWebhooks = "Webhooks"

var deliveryQuery = append([]param{
	{name: "status", doc: "One status only.", enum: []string{"pending", "delivered", "failed"}},
}, paging...)

func webhookRoutes() []route {
	const hooks, hook = org + "/webhooks", org + "/webhooks/{id}"
	return []route{
		ask(route{method: get, path: hooks, op: registry.OpReadWebhooks, tag: tagWebhooks, summary: "List webhooks", doc: "All of them, oldest first: an organization has 20 at most."}, (*call).listWebhooks),
		send(route{method: post, path: hooks, op: registry.OpCreateWebhook, tag: tagWebhooks, status: 201, once: true, summary: "Create a webhook",
			doc: "It is sent what is written from now on, in the format of Standard Webhooks. The secret is in this answer alone."}, (*call).createWebhook),
		ask(route{method: get, path: hook, op: registry.OpReadWebhooks, tag: tagWebhooks, summary: "Show a webhook"}, (*call).readWebhook),
		send(route{method: patch, path: hook, op: registry.OpEditWebhook, tag: tagWebhooks, summary: "Edit, disable or enable a webhook"}, (*call).editWebhook),
		ask(route{method: del, path: hook, op: registry.OpDeleteWebhook, tag: tagWebhooks, summary: "Delete a webhook"}, (*call).deleteWebhook),
		send(route{method: post, path: hook + "/rotate", op: registry.OpRotateWebhook, tag: tagWebhooks, bodyOptional: true, summary: "Give a webhook another secret",
			doc: "For the grace both secrets sign."}, (*call).rotateWebhook),
		ask(route{method: post, path: hook + "/test", op: registry.OpSendWebhook, tag: tagWebhooks, summary: "Send a webhook a test",
			doc: "An event of the type integrations.webhook_test is sent at once. The answer says what came of it."}, (*call).testWebhook),
		ask(route{method: get, path: hook + "/deliveries", op: registry.OpReadWebhooks, tag: tagWebhooks, query: deliveryQuery, summary: "List deliveries",
			doc: "Latest first. Those that are done are kept for 30 days."}, (*call).listDeliveries),
		ask(route{method: post, path: hook + "/deliveries/{delivery}/replay", op: registry.OpSendWebhook, tag: tagWebhooks, summary: "Send a delivery again",
			doc: "Under the same webhook-id."}, (*call).replayDelivery),
	}
}

func (c *call) listWebhooks() (a counterfoil.Page[counterfoil.Webhook], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	list, err := c.Registry.Webhooks(c.r.Context(), c.caller, org)
	a.Data = list
	return a, err
}

func (c *call) createWebhook(d counterfoil.WebhookDraft) (a counterfoil.WebhookCreated, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.CreateWebhook(c.r.Context(), c.caller, org, d)
}

func (c *call) readWebhook() (a counterfoil.Webhook, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Webhook(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

func (c *call) editWebhook(e counterfoil.WebhookEdit) (a counterfoil.Webhook, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.EditWebhook(c.r.Context(), c.caller, org, c.r.PathValue("id"), e)
}

func (c *call) deleteWebhook() (none, error) {
	org, err := c.org()
	if err != nil {
		return none{}, err
	}
	return none{}, c.Registry.DeleteWebhook(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

func (c *call) rotateWebhook(r counterfoil.WebhookRotation) (a counterfoil.WebhookCreated, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.RotateWebhook(c.r.Context(), c.caller, org, c.r.PathValue("id"), r)
}

func (c *call) testWebhook() (a counterfoil.DeliveryAttempt, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.TestWebhook(c.r.Context(), c.caller, org, c.r.PathValue("id"))
}

func (c *call) listDeliveries() (a counterfoil.Page[counterfoil.Delivery], err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.Deliveries(c.r.Context(), c.caller, org, c.r.PathValue("id"),
		registry.DeliveryQuery{Status: counterfoil.DeliveryStatus(c.query["status"]), Cursor: c.query["cursor"], Limit: c.limit()})
}

func (c *call) replayDelivery() (a counterfoil.Delivery, err error) {
	org, err := c.org()
	if err != nil {
		return a, err
	}
	return c.Registry.ReplayDelivery(c.r.Context(), c.caller, org, c.r.PathValue("id"), c.r.PathValue("delivery"))
}
