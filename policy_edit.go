package counterfoil

import "encoding/json"

// PolicyEdit changes what is not nil (PUT …/policies/{kind}).
type PolicyEdit struct {
	Allowed                  *bool
	MaxLifetimeSeconds       *int64 // 0: no limit
	DefaultLifetimeSeconds   *int64 // 0: none
	ExpiryRequired           *bool
	EnforcedIPFilter         *string // id or name; empty: none
	CustomIPFilterAllowed    *bool
	PermissionUpdatesAllowed *bool
}

// Edit sets every term to what t says. It shares nothing with t.
func (t PolicyTerms) Edit() PolicyEdit {
	seconds := func(from *int64) *int64 {
		var to int64
		if from != nil {
			to = *from
		}
		return &to
	}
	filter := ""
	if t.EnforcedIPFilter != nil {
		filter = *t.EnforcedIPFilter
	}
	return PolicyEdit{
		Allowed: &t.Allowed, ExpiryRequired: &t.ExpiryRequired, EnforcedIPFilter: &filter,
		MaxLifetimeSeconds: seconds(t.MaxLifetimeSeconds), DefaultLifetimeSeconds: seconds(t.DefaultLifetimeSeconds),
		CustomIPFilterAllowed: &t.CustomIPFilterAllowed, PermissionUpdatesAllowed: &t.PermissionUpdatesAllowed,
	}
}

// MarshalJSON writes the members that are not nil; a zero lifetime and an empty filter are null.
func (e PolicyEdit) MarshalJSON() ([]byte, error) {
	body := map[string]any{}
	flag := func(name string, value *bool) {
		if value != nil {
			body[name] = *value
		}
	}
	seconds := func(name string, value *int64) {
		if value != nil {
			body[name] = nil
			if *value != 0 {
				body[name] = *value
			}
		}
	}
	flag("allowed", e.Allowed)
	seconds("max_lifetime_seconds", e.MaxLifetimeSeconds)
	seconds("default_lifetime_seconds", e.DefaultLifetimeSeconds)
	flag("expiry_required", e.ExpiryRequired)
	if e.EnforcedIPFilter != nil {
		body["enforced_ip_filter"] = nil
		if *e.EnforcedIPFilter != "" {
			body["enforced_ip_filter"] = *e.EnforcedIPFilter
		}
	}
	flag("custom_ip_filter_allowed", e.CustomIPFilterAllowed)
	flag("permission_updates_allowed", e.PermissionUpdatesAllowed)
	return json.Marshal(body)
}
