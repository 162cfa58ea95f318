package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
)

func aWebhook(t *testing.T, w *world, name string) counterfoil.WebhookCreated {
	t.Helper()
	return must(w.Client().CreateWebhook(t.Context(), current, counterfoil.WebhookDraft{Name: name, URL: hooked(t), Types: []string{"tokens"}}))(t)
}

// hooked is the address of a receiver that takes everything.
func hooked(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(s.Close)
	return s.URL
}

// delivered waits for a delivery to a webhook.
func delivered(t *testing.T, w *world, c *client.Client, id string) counterfoil.Delivery {
	t.Helper()
	must(w.Client().CreateToken(t.Context(), current, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "sent"}))(t)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		page := must(c.ListDeliveries(t.Context(), current, id, client.DeliveryQuery{Status: counterfoil.DeliveryDelivered, Limit: 1}))(t)
		if len(page.Data) == 1 {
			return page.Data[0]
		}
	}
	t.Fatal("nothing was delivered")
	return counterfoil.Delivery{}
}

var webhookRows = []row{
	{"Webhooks", "GET /v1/organizations/{org}/webhooks", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "listed")
		list := must(w.owner.Webhooks(t.Context(), current))(t)
		if last := list[len(list)-1]; last.ID != made.Webhook.ID || last.Name != "listed" || !last.Enabled {
			t.Errorf("got %+v", list)
		}
	}},
	{"CreateWebhook", "POST /v1/organizations/{org}/webhooks", func(t *testing.T, w *world) {
		got := must(w.owner.CreateWebhook(t.Context(), current, counterfoil.WebhookDraft{Name: "made", URL: "https://hooks.example.com/", Types: []string{"tokens"}}, client.IdempotencyKey("hook")))(t)
		if !strings.HasPrefix(got.Secret, "whsec_") || got.Webhook.Name != "made" {
			t.Errorf("got %+v", got)
		}
	}},
	{"Webhook", "GET /v1/organizations/{org}/webhooks/{id}", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "read")
		if got := must(w.owner.Webhook(t.Context(), current, made.Webhook.ID))(t); got.URL != made.Webhook.URL {
			t.Errorf("got %+v", got)
		}
	}},
	{"EditWebhook", "PATCH /v1/organizations/{org}/webhooks/{id}", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "edited")
		name, url, off := "new", "https://hooks.example.com/new", false
		got := must(w.owner.EditWebhook(t.Context(), current, made.Webhook.ID, counterfoil.WebhookEdit{Name: &name, URL: &url, Types: &[]string{}, Enabled: &off}))(t)
		if got.Name != name || got.URL != url || len(got.Types) != 0 || got.Enabled || got.DisabledReason != counterfoil.WebhookSwitchedOff {
			t.Errorf("got %+v", got)
		}
	}},
	{"RotateWebhook", "POST /v1/organizations/{org}/webhooks/{id}/rotate", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "rotated")
		if got := must(w.owner.RotateWebhook(t.Context(), current, made.Webhook.ID, time.Hour))(t); got.Secret == made.Secret || got.Webhook.PreviousSecretUntil == nil {
			t.Errorf("got %+v", got)
		}
	}},
	{"TestWebhook", "POST /v1/organizations/{org}/webhooks/{id}/test", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "tested")
		if got := must(w.owner.TestWebhook(t.Context(), current, made.Webhook.ID))(t); got.Status != 204 || got.Error != "" {
			t.Errorf("got %+v", got)
		}
	}},
	{"ListDeliveries", "GET /v1/organizations/{org}/webhooks/{id}/deliveries", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "listing deliveries")
		if got := delivered(t, w, w.owner, made.Webhook.ID); got.Type != "tokens/token_created" || got.Attempts != 1 || got.LastAttempt.Status != 204 {
			t.Errorf("got %+v", got)
		}
		page := must(w.owner.ListDeliveries(t.Context(), current, made.Webhook.ID, client.DeliveryQuery{Cursor: "whd_0"}))(t)
		if len(page.Data) != 0 {
			t.Errorf("before the first there are %+v", page.Data)
		}
	}},
	{"Deliveries", "GET /v1/organizations/{org}/webhooks/{id}/deliveries", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "deliveries")
		delivered(t, w, w.owner, made.Webhook.ID)
		n := 0
		for _, err := range w.owner.Deliveries(t.Context(), current, made.Webhook.ID, client.DeliveryQuery{Limit: 1}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n == 0 {
			t.Error("saw none")
		}
	}},
	{"ReplayDelivery", "POST /v1/organizations/{org}/webhooks/{id}/deliveries/{delivery}/replay", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "replayed")
		d := delivered(t, w, w.Client(), made.Webhook.ID)
		if got := must(w.owner.ReplayDelivery(t.Context(), current, made.Webhook.ID, d.ID))(t); got.Status != counterfoil.DeliveryPending || got.EventID != d.EventID {
			t.Errorf("got %+v", got)
		}
	}},
	{"DeleteWebhook", "DELETE /v1/organizations/{org}/webhooks/{id}", func(t *testing.T, w *world) {
		made := aWebhook(t, w, "deleted")
		if err := w.owner.DeleteWebhook(t.Context(), current, made.Webhook.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Client().Webhook(t.Context(), current, made.Webhook.ID); err == nil {
			t.Error("it is still there")
		}
	}},
}
