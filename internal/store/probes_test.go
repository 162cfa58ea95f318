package store

import (
	"errors"
	"math"

	"github.com/counterfoil/counterfoil"
)

// probe tries a method of Tx on what belongs to a. A reader's result is looked at, a writer's effect is.
type probe struct {
	reads, writes func(tx *Tx, a world) (any, error)
	crosses       string // why the method is not bound
}

func found[T any](v T, ok bool, err error) (any, error) {
	if !ok {
		return nil, err
	}
	return v, err
}

func done(err error) (any, error) { return nil, err }

// unmakeOrganization leaves no trace of the transaction's organization, so that it can be inserted again.
func (tx *Tx) unmakeOrganization() error {
	_, err := tx.q.exec("DELETE FROM organizations WHERE id=$1", tx.org)
	_, err2 := tx.q.exec("DELETE FROM policies WHERE organization=$1", tx.org)
	tx.memo.forget()
	return errors.Join(err, err2)
}

// probes has an entry for every method of Tx.
var probes = map[string]probe{
	"Organization": {reads: func(tx *Tx, a world) (any, error) { return tx.Organization() == a.org, nil }},
	"Now":          {crosses: "the time is everyone's"},
	"Epoch":        {crosses: "it is the node's"},
	"In":           {crosses: "it binds to another organization by name"},
	"Appended":     {crosses: "it returns what this very transaction appended"},
	"Logged":       {crosses: "it returns where this very transaction's events are"},
	"Setting":      {crosses: "settings are the instance's"},
	"LockSetting":  {crosses: "settings are the instance's"},
	"SetSetting":   {crosses: "settings are the instance's"},
	"Credential":   {crosses: "the caller may be a system token"},
	"Receipt":      {crosses: "the path names no organization: it is returned, and the caller compares"},
	"Answered":     {crosses: "answers belong to a caller, whose id is unique in the instance"},
	"KeepAnswer":   {crosses: "answers belong to a caller, whose id is unique in the instance"},

	"Session":          {crosses: "a session is a person's"},
	"SessionByDigest":  {crosses: "a session is a person's"},
	"InsertSession":    {crosses: "a session is a person's"},
	"TouchSession":     {crosses: "a session is a person's"},
	"ConfirmSession":   {crosses: "a session is a person's"},
	"DeleteSession":    {crosses: "a session is a person's"},
	"DeleteSessions":   {crosses: "a session is a person's"},
	"SessionsOf":       {crosses: "a session is a person's"},
	"Ticket":           {crosses: "a ticket names its own organization, and its value none"},
	"TicketForUpdate":  {crosses: "a ticket names its own organization, and its value none"},
	"DeleteTicket":     {crosses: "a ticket names its own organization, and its value none"},
	"TakeTicket":       {crosses: "a ticket names its own organization, and its value none"},
	"InsertTicket":     {crosses: "a ticket names its own organization, and its value none"},
	"SetTicketData":    {crosses: "a ticket names its own organization, and its value none"},
	"DeleteTickets":    {crosses: "a ticket names its own organization, and its value none"},
	"User":             {crosses: "a person belongs to no organization"},
	"UserByEmail":      {crosses: "a person belongs to no organization"},
	"Memberships":      {crosses: "it is how a person finds their organizations"},
	"Password":         {crosses: "what a person signs in with is theirs"},
	"DeletePassword":   {crosses: "what a person signs in with is theirs"},
	"SetPassword":      {crosses: "what a person signs in with is theirs"},
	"TOTP":             {crosses: "what a person signs in with is theirs"},
	"SetTOTP":          {crosses: "what a person signs in with is theirs"},
	"UseTOTPStep":      {crosses: "what a person signs in with is theirs"},
	"DeleteTOTP":       {crosses: "what a person signs in with is theirs"},
	"SetRecoveryCodes": {crosses: "what a person signs in with is theirs"},
	"UseRecoveryCode":  {crosses: "what a person signs in with is theirs"},
	"RecoveryCodes":    {crosses: "what a person signs in with is theirs"},
	"ExternalSubject":  {crosses: "what a person signs in with is theirs"},
	"ExternalUser":     {crosses: "what a person signs in with is theirs"},
	"LinkExternalUser": {crosses: "what a person signs in with is theirs"},
	"Passkeys":         {crosses: "what a person signs in with is theirs"},
	"InsertPasskey":    {crosses: "what a person signs in with is theirs"},
	"UsePasskey":       {crosses: "what a person signs in with is theirs"},
	"RenamePasskey":    {crosses: "what a person signs in with is theirs"},
	"DeletePasskey":    {crosses: "what a person signs in with is theirs"},

	"Entries":        {crosses: "the chain is one"},
	"LastEntry":      {crosses: "the chain is one"},
	"RemovedAfter":   {crosses: "the log is one"},
	"Expired":        {crosses: "it looks for what has expired anywhere, for the instance's own housekeeping"},
	"SetSettingOnce": {crosses: "settings are the instance's"},

	"Ending":         {crosses: "it looks for what ends anywhere, for the notices of all"},
	"ClaimNotice":    {crosses: "a token's id is unique in the instance"},
	"Noticed":        {crosses: "a token's id is unique in the instance"},
	"NewPlaces":      {crosses: "it serves the notices of all"},
	"Awaiting":       {crosses: "a person gets one mail"},
	"TakeLetters":    {crosses: "a person gets one mail"},
	"PostponeLetter": {crosses: "a person gets one mail"},
	"DeleteLetter":   {crosses: "a person gets one mail"},
	"Muted":          {crosses: "what people are told is theirs"},
	"SetMuted":       {crosses: "what people are told is theirs"},

	"EndedTrials":     {crosses: "it looks for what has ended anywhere, for the instance's own housekeeping"},
	"ProviderKeyByID": {crosses: "a JWT names its key, and nothing that could be believed before its signature is checked"},
	"JWTAccepted":     {reads: func(tx *Tx, a world) (any, error) { return tx.JWTAccepted(marked) }},
	"ProviderKeys":    {reads: func(tx *Tx, _ world) (any, error) { return tx.ProviderKeys() }},
	"Managed":         {reads: func(tx *Tx, _ world) (any, error) { return tx.Managed(ManagedFilter{Limit: 1000}) }},
	"NFROrganization": {reads: func(tx *Tx, _ world) (any, error) { return found(tx.NFROrganization()) }},
	"Seats": {reads: func(tx *Tx, _ world) (any, error) {
		s, err := tx.Seats()
		return s.Active, err
	}},
	"ManagedIDs":  {reads: func(tx *Tx, _ world) (any, error) { return tx.ManagedIDs() }},
	"Assignments": {reads: func(tx *Tx, a world) (any, error) { return tx.Assignments(a.member) }},
	"Assigned":    {reads: func(tx *Tx, a world) (any, error) { return tx.Assigned(a.member, "0 "+marked+a.org) }},
	"Assign":      {writes: func(tx *Tx, a world) (any, error) { return done(tx.Assign(a.member, []string{"org_x"})) }},
	"Unassign":    {writes: func(tx *Tx, _ world) (any, error) { return done(tx.Unassign()) }},
	"Hold":        {crosses: "it names the organization whose rules it keeps still"},
	"InsertProviderKey": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.InsertProviderKey(ProviderKey{ID: NewID("key"), Provider: a.org}))
	}},
	"RevokeProviderKey": {writes: func(tx *Tx, a world) (any, error) {
		_, err := tx.RevokeProviderKey(a.key, "mem_x")
		return done(err)
	}},
	"AcceptJWT": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.AcceptJWT(a.key, NewID("jti"), tx.Now()+1, "192.0.2.2"))
	}},

	"UsageDue": {crosses: "it looks for what is due anywhere, for the instance's own housekeeping"},
	"UsageState": {reads: func(tx *Tx, _ world) (any, error) {
		u, _, err := tx.UsageState()
		return u.State, err
	}},
	"UsageRows":      {reads: func(tx *Tx, _ world) (any, error) { return tx.UsageRows("d", "m9", "", "", "", 1000) }},
	"EverManaged":    {reads: func(tx *Tx, _ world) (any, error) { return tx.EverManaged("", 1000) }},
	"UsageEvents":    {reads: func(tx *Tx, _ world) (any, error) { return tx.UsageEvents(0, []string{"tokens"}) }},
	"SaveUsageState": {writes: func(tx *Tx, _ world) (any, error) { return done(tx.SaveUsageState(UsageState{Day: 99})) }},
	"UsageRow":       {reads: func(tx *Tx, a world) (any, error) { return found(tx.UsageRow("m2026-01", a.org)) }},
	"AdjustmentsOf":  {reads: func(tx *Tx, a world) (any, error) { return tx.AdjustmentsOf("m2026-01", a.org) }},
	"Adjustments":    {reads: func(tx *Tx, _ world) (any, error) { return tx.Adjustments("m", "m9", UsageAdjustment{}, "", 1000) }},
	"InsertAdjustment": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.InsertAdjustment(UsageAdjustment{ID: NewID("adj"), Period: "m2026-03", Organization: "org_x"}))
	}},
	"SaveUsageRow": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.SaveUsageRow(UsageRow{Provider: "org_x", Period: "m2026-02"}))
	}},

	"CurrentOrganization": {reads: func(tx *Tx, _ world) (any, error) { return found(tx.CurrentOrganization()) }},
	"Rules":               {reads: func(tx *Tx, _ world) (any, error) { return found(tx.Rules()) }},
	"Policies":            {reads: func(tx *Tx, _ world) (any, error) { return tx.Policies() }},
	"IPFilters":           {reads: func(tx *Tx, _ world) (any, error) { return tx.IPFilters() }},
	"IPFilterUsers": {reads: func(tx *Tx, a world) (any, error) {
		users, err := tx.IPFilterUsers()
		return users[a.filter], err
	}},
	"Roles":       {reads: func(tx *Tx, _ world) (any, error) { return tx.Roles() }},
	"RoleHolders": {reads: func(tx *Tx, _ world) (any, error) { return tx.RoleHolders(marked) }},
	"RoleCounts":  {reads: func(tx *Tx, _ world) (any, error) { return tx.RoleCounts() }},
	"MembersWith": {reads: func(tx *Tx, _ world) (any, error) { return tx.MembersWith(marked, 1000) }},
	"LiveTokens": {reads: func(tx *Tx, a world) (any, error) {
		n, err := tx.LiveTokens([]string{a.owner}, nil)
		return n[a.owner], err
	}},
	"LastSignIn": {reads: func(tx *Tx, a world) (any, error) {
		at, _, err := tx.LastSignIn(a.user)
		return int64(at), err
	}},
	"OtherOwners":    {reads: func(tx *Tx, _ world) (any, error) { return tx.OtherOwners("") }},
	"Member":         {reads: func(tx *Tx, a world) (any, error) { return found(tx.Member(a.member)) }},
	"MemberByEmail":  {reads: func(tx *Tx, a world) (any, error) { return found(tx.MemberByEmail(a.org + marked + "@example.com")) }},
	"Members":        {reads: func(tx *Tx, _ world) (any, error) { return tx.Members("", "", 1000) }},
	"Token":          {reads: func(tx *Tx, a world) (any, error) { return found(tx.Token(a.token)) }},
	"TokenForUpdate": {reads: func(tx *Tx, a world) (any, error) { return found(tx.TokenForUpdate(a.token)) }},
	"Tokens": {reads: func(tx *Tx, _ world) (any, error) {
		list, _, err := tx.Tokens(TokenFilter{Limit: 1000})
		return list, err
	}},
	"Refusals": {reads: func(tx *Tx, _ world) (any, error) { return tx.Refusals(RefusalFilter{Limit: 10}) }},
	"Refusal":  {reads: func(tx *Tx, a world) (any, error) { return found(tx.Refusal(a.refusal)) }},
	"PreviousUses": {reads: func(tx *Tx, a world) (any, error) {
		_, uses, err := tx.PreviousUses(a.token, epoch+9)
		return uses, err
	}},
	"LastUse":   {reads: func(tx *Tx, a world) (any, error) { return tx.LastUse(a.token) }},
	"UsesSince": {reads: func(tx *Tx, _ world) (any, error) { return tx.UsesSince(counterfoil.KindPersonal, 0) }},
	"UsesOf":    {reads: func(tx *Tx, a world) (any, error) { return tx.UsesOf(a.token, 0) }},
	"CountTokens": {reads: func(tx *Tx, a world) (any, error) {
		c, err := tx.CountTokens(TokenFilter{Owner: a.owner}, tx.Now(), tx.Now())
		return c.Active, err
	}},
	"Listening":        {crosses: "it serves the sending for all"},
	"AnyListening":     {crosses: "it serves the sending for all"},
	"Written":          {crosses: "it serves the sending for all"},
	"Owing":            {crosses: "it serves the sending for all"},
	"Webhooks":         {reads: func(tx *Tx, _ world) (any, error) { return tx.Webhooks() }},
	"Webhook":          {reads: func(tx *Tx, a world) (any, error) { return found(tx.Webhook(a.webhook)) }},
	"WebhookForUpdate": {reads: func(tx *Tx, a world) (any, error) { return found(tx.WebhookForUpdate(a.webhook)) }},
	"InsertWebhook": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.InsertWebhook(Webhook{ID: NewID("whk"), Organization: a.org, Name: "other", Sealed: []byte{1}}))
	}},
	"UpdateWebhook": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateWebhook(Webhook{ID: a.webhook, Organization: a.org, Name: "other", Sealed: []byte{1}, Version: 1}))
	}},
	"DeleteWebhook": {writes: func(tx *Tx, a world) (any, error) { return done(tx.DeleteWebhook(a.webhook)) }},
	"Heads":         {reads: func(tx *Tx, _ world) (any, error) { return tx.Heads(0, 1000) }},
	"EventByNumber": {reads: func(tx *Tx, a world) (any, error) {
		var number int64
		if err := tx.q.row("SELECT seq FROM events WHERE organization = $1 AND action = $2", a.org, marked).Scan(&number); err != nil {
			return nil, err
		}
		return found(tx.EventByNumber(number))
	}},
	"InsertDelivery": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.InsertDelivery(a.webhook, Head{Number: 2, Event: a.org}))
	}},
	"Deliveries":        {reads: func(tx *Tx, a world) (any, error) { return tx.Deliveries(a.webhook, "", "", 10) }},
	"DeliveryForUpdate": {reads: func(tx *Tx, a world) (any, error) { return found(tx.DeliveryForUpdate(a.webhook, a.delivery)) }},
	"TakeDeliveries": {writes: func(tx *Tx, a world) (any, error) {
		return done2(tx.TakeDeliveries(a.webhook, 10, tx.Now().Plus(60)))
	}},
	"UpdateDelivery": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateDelivery(Delivery{ID: a.delivery, Webhook: a.webhook, Status: counterfoil.DeliveryFailed}))
	}},
	"Waiting": {crosses: "a number alone shows nothing; testDeliveries asks that it is the organization's"},
	"Keepers": {reads: func(tx *Tx, _ world) (any, error) { return tx.Keepers(10) }},
	"ClaimPlace": {writes: func(tx *Tx, a world) (any, error) {
		return done2(tx.ClaimPlace(a.token, "203.0.113.0/24"))
	}},
	"InsertLetter": {writes: func(tx *Tx, a world) (any, error) { return done(tx.InsertLetter(Letter{User: a.owner, Data: a.org})) }},
	"EventTypes": {reads: func(tx *Tx, _ world) (any, error) {
		types, err := tx.EventTypes(10)
		return int64(len(types)), err
	}},
	"FindEvents": {reads: func(tx *Tx, _ world) (any, error) { return eventsIn(tx, 1000) }},
	"ClaimEventIDs": {writes: func(tx *Tx, a world) (any, error) {
		taken, err := tx.ClaimEventIDs([]EventID{{ID: a.eventID, Event: "evt_other"}, {ID: "new " + tx.org, Event: "evt_new"}})
		if len(taken) > 0 {
			return taken, err
		}
		return nil, err
	}},
	"Retaining":       {crosses: "it is the instance's own housekeeping"},
	"RemovedThrough":  {crosses: "a number alone shows nothing; TestRetention asks that it is the organization's"},
	"Removable":       {reads: func(tx *Tx, _ world) (any, error) { return tx.Removable(math.MaxInt64) }},
	"AnnounceRemoval": {writes: func(tx *Tx, _ world) (any, error) { return done(tx.AnnounceRemoval(tx.Now() + 1)) }},
	"Retention":       {crosses: "it is keyed by the transaction's organization, and a number alone shows nothing"},
	"SetRetention":    {writes: func(tx *Tx, _ world) (any, error) { return done(tx.SetRetention(77)) }},
	"UnsetRetention":  {writes: func(tx *Tx, _ world) (any, error) { return done(tx.UnsetRetention()) }},
	"LastNumber":      {crosses: "a number alone shows nothing; TestWindows asks that it is the organization's"},
	"ReadWindow": {reads: func(tx *Tx, _ world) (any, error) {
		events, _, err := tx.ReadWindow(Window{Until: math.MaxInt64, Limit: 1000})
		return events, err
	}},

	"SplunkExport": {reads: func(tx *Tx, _ world) (any, error) { return found(tx.SplunkExport()) }},
	"SetSplunkExport": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.SetSplunkExport(SplunkExport{URL: "https://other.example"}))
	}},
	"DeleteSplunkExport": {writes: func(tx *Tx, _ world) (any, error) { return tx.DeleteSplunkExport() }},
	"MoveSplunkExport": {writes: func(tx *Tx, _ world) (any, error) {
		return tx.MoveSplunkExport(marked, ExportProgress{After: 99})
	}},
	"EventsBehind": {crosses: "numbers alone show nothing; testEventsBehind asks that they are the organization's"},

	"Append": {writes: func(tx *Tx, a world) (any, error) {
		tx.Append(counterfoil.Event{OrganizationID: a.org, Type: "tokens", Action: "forged"})
		return nil, nil
	}},
	"AppendAs": {writes: func(tx *Tx, a world) (any, error) {
		tx.AppendAs(NewID("evt"), counterfoil.Event{OrganizationID: a.org, Type: "tokens", Action: "forged"})
		return nil, nil
	}},
	"InsertOrganization": {writes: func(tx *Tx, a world) (any, error) {
		return done(errors.Join(tx.unmakeOrganization(), tx.InsertOrganization(counterfoil.Organization{ID: a.org, Slug: UUID(NewID("org")), Name: "other"})))
	}},
	"InsertOrganizationNumbered": {writes: func(tx *Tx, a world) (any, error) {
		return done(errors.Join(tx.unmakeOrganization(), tx.InsertOrganizationNumbered(&counterfoil.Organization{ID: a.org, Slug: UUID(NewID("org")), Name: "other"})))
	}},
	"UpdateOrganization": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateOrganization(counterfoil.Organization{ID: a.org, Name: "other"}))
	}},
	"DeleteOrganization": {writes: func(tx *Tx, _ world) (any, error) { return done(tx.DeleteOrganization()) }},
	"UpdatePolicy": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.UpdatePolicy(counterfoil.Policy{Kind: counterfoil.KindPersonal}))
	}},
	"InsertIPFilter": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.InsertIPFilter(counterfoil.IPFilter{ID: NewID("ipf"), Name: "other"}))
	}},
	"UpdateIPFilter": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateIPFilter(counterfoil.IPFilter{ID: a.filter, Name: "other"}))
	}},
	"DeleteIPFilter": {writes: func(tx *Tx, a world) (any, error) { return done(tx.DeleteIPFilter(a.filter)) }},
	"InsertRole": {writes: func(tx *Tx, _ world) (any, error) {
		return done(tx.InsertRole(counterfoil.Role{ID: NewID("rol"), Name: "other"}))
	}},
	"UpdateRole": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateRole(counterfoil.Role{ID: a.role, Permissions: counterfoil.NewPermissions("all")}))
	}},
	"DeleteRole": {writes: func(tx *Tx, a world) (any, error) { return done(tx.DeleteRole(a.role)) }},
	"InsertMember": {writes: func(tx *Tx, a world) (any, error) {
		return done2(tx.InsertMember(counterfoil.Member{Email: NewID("") + "@example.com", Name: "other", Roles: []string{"owner"}}))
	}},
	"UpdateMember": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.UpdateMember(counterfoil.Member{ID: a.member, Roles: []string{"owner"}}))
	}},
	"DeleteMember": {writes: func(tx *Tx, a world) (any, error) { return done(tx.DeleteMember(a.member)) }},
	"InsertToken": {writes: func(tx *Tx, a world) (any, error) {
		t := newToken(tokenID())
		t.Organization = a.org
		return done(tx.InsertToken(t))
	}},
	"UpdateToken": {writes: func(tx *Tx, a world) (any, error) {
		t := newToken(a.token)
		t.Organization, t.Version = a.org, 1
		return done(tx.UpdateToken(t))
	}},
	"WatchPrevious":  {writes: func(tx *Tx, a world) (any, error) { return done(tx.WatchPrevious(a.token, epoch+10)) }},
	"RevokeTokens":   {writes: func(tx *Tx, a world) (any, error) { return tx.RevokeTokens(a.owner, "mem_x", "gone", "rcp_x") }},
	"SaveReceipt":    {writes: func(tx *Tx, a world) (any, error) { return done(tx.SaveReceipt(a.receipt, "other")) }},
	"ReplaceReceipt": {writes: func(tx *Tx, a world) (any, error) { return done2(tx.ReplaceReceipt(a.receipt, "other", "")) }},
	"SaveRefusal": {writes: func(tx *Tx, a world) (any, error) {
		return done(tx.SaveRefusal(Refusal{ID: a.refusal, Count: 99}))
	}},
}

func done2[T any](_ T, err error) (any, error) { return nil, err }
