package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/client"
	"github.com/counterfoil/counterfoil/counterfoiltest"
	"github.com/counterfoil/counterfoil/internal/server"
)

// TestWebhooks: from making one to deleting it, with a real receiver.
func TestWebhooks(t *testing.T) {
	d := newDesk(t, counterfoiltest.WithConfig(func(c *server.Config) { c.OutgoingAllow = []string{"127.0.0.1"} }))
	var status atomic.Int64
	status.Store(http.StatusNoContent)
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	t.Cleanup(r.Close)
	owner := d.sits(d.Owner.ID)
	owner.get("/webhooks").says(http.StatusOK, "No webhooks yet", "Create webhook")
	owner.post("/webhooks/new", "name", "", "url", "http://10.0.0.1/", "types", "a/b/c").says(http.StatusUnprocessableEntity, "A name has 1 to 100 characters", "an address that this server does not call", "Give a type such as login")
	page := owner.post("/webhooks/new", "name", "<i>siem</i>", "url", r.URL+"/hidden", "types", "tokens\r\nlogin").says(http.StatusOK, "Save the secret of “ <i>siem</i> ”", "whsec_", "I have saved this secret")
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(page.text)
	list := owner.get("/webhooks").says(http.StatusOK, "<i>siem</i>", "tokens, login", "Enabled", "!hidden", "!"+secret)
	if strings.Contains(list.source, "<i>siem") {
		t.Error("a name is markup")
	}
	hook := must[[]counterfoil.Webhook](t)(d.Client().Webhooks(t.Context(), "current"))[0]
	at := "/webhooks/" + hook.ID
	owner.get(at).says(http.StatusOK, "No deliveries here", r.URL+"/hidden", "!"+secret)
	owner.does(at+"/test").says(http.StatusOK, "The test event was taken with 204")
	status.Store(http.StatusBadGateway)
	owner.does(at+"/test").says(http.StatusOK, "The test event was not taken. It answered 502 Bad Gateway.")

	must[counterfoil.Created](t)(d.Client().CreateToken(t.Context(), "current", counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: "sent"}))
	d.until("it is tried", func() bool { return deliveriesIn(t, d, hook.ID, "pending", 1) })
	owner.get(at).says(http.StatusOK, "Failing", "tokens/token_created", "Trying again", "It answered 502 Bad Gateway.", "It has taken nothing since")
	status.Store(http.StatusOK)
	id := must[counterfoil.Page[counterfoil.Delivery]](t)(d.Client().ListDeliveries(t.Context(), "current", hook.ID, client.DeliveryQuery{})).Data[0].ID
	owner.does(at+"/replay", "delivery", id).says(http.StatusOK, "It is sent again now")
	d.later.Add(time.Hour.Microseconds())
	d.until("it is taken", func() bool { return deliveriesIn(t, d, hook.ID, "delivered", 1) })
	owner.get(at+"?status=delivered").says(http.StatusOK, "Delivered", "tokens/token_created")
	owner.get(at+"?status=failed").says(http.StatusOK, "No deliveries here")

	owner = d.sits(d.Owner.ID) // an hour has passed: proved anew
	owner.get(at+"/edit").says(http.StatusOK, "Edit “<i>siem</i>”")
	owner.does(at+"/edit", "name", "chat", "url", r.URL, "types", "").says(http.StatusOK, "Saved.", "Every event")
	owner.does(at+"/enabled", "enabled", "false").says(http.StatusOK, "Disabled. Nothing is sent", "Somebody disabled it")
	owner.does(at+"/enabled", "enabled", "true").says(http.StatusOK, "Enabled.")
	owner.post(at+"/rotate", "grace", "forever").says(http.StatusUnprocessableEntity, "Choose until when")
	again := owner.post(at+"/rotate", "grace", "3600").says(http.StatusOK, "The new secret of “ chat ”", "signs as well until", "!"+secret)
	if next := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(again.text); next == "" || next == secret {
		t.Errorf("the new secret is %q", next)
	}
	owner.get(at+"/delete").says(http.StatusOK, "Delete “ chat ”?", "Keep it")
	owner.does(at+"/delete").says(http.StatusOK, "Deleted “chat”", "No webhooks yet")
	owner.get(at).says(http.StatusNotFound)
}

// deliveriesIn reports whether a webhook has so many deliveries of a status that were tried.
func deliveriesIn(t *testing.T, d *desk, hook, status string, n int) bool {
	t.Helper()
	page := must[counterfoil.Page[counterfoil.Delivery]](t)(d.Client().ListDeliveries(t.Context(), "current", hook, client.DeliveryQuery{Status: counterfoil.DeliveryStatus(status)}))
	tried := 0
	for _, one := range page.Data {
		if one.Attempts > 0 {
			tried++
		}
	}
	return tried == n
}
