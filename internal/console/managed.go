package console

import (
	"errors"
	"net/url"
	"strings"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

func managedPages() []page {
	const read, write = counterfoil.PermOrganizationsRead, counterfoil.PermOrganizationsWrite
	const all, one = "/o/{org}/organizations", "/o/{org}/organizations/{slug}"
	return []page{
		{method: get, path: all, who: member, provider: true, needs: read, show: (*visit).managedOrganizations},
		{method: get, path: "/o/{org}/new-organization", who: member, provider: true, needs: write, fresh: true, show: (*visit).newManaged},
		{method: post, path: "/o/{org}/new-organization", who: member, provider: true, needs: write, fresh: true, form: "/new-organization", show: (*visit).createManaged},
		{method: get, path: one, who: member, provider: true, needs: read, show: (*visit).managedOrganization},
		{method: get, path: one + "/edit", who: member, provider: true, needs: write, fresh: true, show: (*visit).editManaged},
		{method: post, path: one + "/edit", who: member, provider: true, needs: write, fresh: true, form: "/organizations", show: (*visit).saveManaged},
		{method: get, path: one + "/status", who: member, provider: true, needs: write, fresh: true, show: (*visit).askManagedStatus},
		{method: post, path: one + "/status", who: member, provider: true, needs: write, fresh: true, form: "/organizations", show: (*visit).switchManaged},
		{method: get, path: one + "/delete", who: member, provider: true, needs: write, fresh: true, show: (*visit).askDeleteManaged},
		{method: post, path: one + "/delete", who: member, provider: true, needs: write, fresh: true, form: "/organizations", show: (*visit).deleteManaged},
	}
}

func (v *visit) managedPath(o *counterfoil.Organization, rest string) string {
	return v.path("/organizations/%s%s", url.PathEscape(o.Slug), rest)
}

// managedList is a part of what a provider manages, and how it was narrowed.
type managedList struct {
	counterfoil.Page[counterfoil.ManagedOrganization]
	form  *form // q, status
	paged bool  // not the first page
}

const managedPerPage = 50

func (v *visit) managedOrganizations() error {
	f := newForm(v.r.Form)
	q := registry.ManagedQuery{Text: f.get("q"), Status: counterfoil.OrgStatus(f.get("status")), Cursor: f.get("cursor"), Limit: managedPerPage}
	if q.Status != counterfoil.OrgActive && q.Status != counterfoil.OrgSuspended {
		q.Status = ""
	}
	page, err := v.c.Registry.ManagedOrganizations(v.r.Context(), v.caller(), v.org(), q)
	if err != nil {
		return err
	}
	return v.show(200, "Organizations", managedPage(v, &managedList{page, f, q.Cursor != ""}))
}

func (l *managedList) at(v *visit, more ...string) string {
	return l.form.address(v.path("/organizations"), []string{"q", "status"}, more...)
}

func (l *managedList) next(v *visit) string {
	if l.NextCursor == nil {
		return ""
	}
	return l.at(v, "cursor", *l.NextCursor)
}

func (l *managedList) narrowed() bool { return l.form.get("q") != "" || l.form.get("status") != "" }

// findManaged is the organization of the path as the provider sees it, and how the person acts in it; nil: they do not.
func (v *visit) findManaged() (o counterfoil.ManagedOrganization, in *registry.Visit, err error) {
	if o, err = v.c.Registry.ManagedOrganization(v.r.Context(), v.caller(), v.org(), v.r.PathValue("slug")); err != nil {
		return o, nil, err
	}
	in, err = v.visitOf(o.ID)
	return o, in, err
}

// visitOf is how the person acts in an organization that the provider of the page manages; nil: they do not.
func (v *visit) visitOf(name string) (*registry.Visit, error) {
	in, err := v.c.Registry.Visit(v.r.Context(), v.caller(), name)
	switch {
	case errors.Is(err, counterfoil.Refuse(counterfoil.CodeNotFound, "")):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &in, nil
}

// managedView is an organization with what it used this month, where that is for the person to see.
type managedView struct {
	*counterfoil.ManagedOrganization
	usage []counterfoil.Usage
	// first and this are the months of its history
	first, this string
	in          *registry.Visit // nil: the person does not act there
}

func (v *visit) managedOrganization() error {
	o, in, err := v.findManaged()
	if err != nil {
		return err
	}
	m := &managedView{ManagedOrganization: &o, in: in}
	if v.may(counterfoil.PermUsageRead) {
		month := v.c.Registry.UsageToday()[:len(monthForm)]
		m.first, m.this = monthBefore(month, usageMonths-1), month
		page, err := v.c.Registry.Usage(v.r.Context(), v.caller(), v.org(), registry.UsageQuery{Monthly: true, From: month, Through: month, Organization: o.ID, Limit: 200})
		if err != nil {
			return err
		}
		m.usage = page.Data
	}
	return v.show(200, o.Name, managedOnePage(v, m))
}

// managedFields says which field of the form a member of the request is.
var managedFields = map[string]string{"name": "name", "plan": "plan", "license": "license"}

func (v *visit) newManaged() error {
	return v.show(200, "Create organization", managedFormPage(v, nil, filled("plan", v.plans()[0], "license", string(counterfoil.LicenseStandard))))
}

func (v *visit) plans() []string { return v.c.Registry.Plans }

func (v *visit) createManaged() error {
	draft := counterfoil.ManagedDraft{Name: v.field("name"), Plan: v.field("plan"), License: counterfoil.License(v.field("license"))}
	made, err := v.c.Registry.CreateManaged(v.r.Context(), v.caller(), v.org(), draft)
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, managedFields) {
			return err
		}
		return v.show(422, "Create organization", managedFormPage(v, nil, f))
	}
	return v.say(v.managedPath(&made.Organization, ""), "good", "Created “"+made.Name+"”. It has no members yet: open it to invite its owner.", nil)
}

func (v *visit) editManaged() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	return v.show(200, "Edit "+o.Name, managedFormPage(v, &o, filled("name", o.Name, "plan", o.Plan, "license", string(o.License))))
}

func (v *visit) saveManaged() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	name, plan, license := v.field("name"), v.field("plan"), counterfoil.License(v.field("license"))
	saved, receipt, err := v.c.Registry.EditOrganization(v.r.Context(), v.caller().In(o.ID), o.ID, counterfoil.OrganizationEdit{Name: &name, Plan: &plan, License: &license})
	if err != nil {
		f := newForm(v.r.PostForm)
		if !f.take(err, managedFields) {
			return err
		}
		return v.show(422, "Edit "+o.Name, managedFormPage(v, &o, f))
	}
	return v.say(v.managedPath(&saved, ""), "good", "Saved.", &receipt)
}

func (v *visit) askManagedStatus() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	title := "Suspend " + o.Name
	if o.Status == counterfoil.OrgSuspended {
		title = "Reactivate " + o.Name
	}
	return v.show(200, title, managedStatusPage(v, &o))
}

func (v *visit) switchManaged() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	status := counterfoil.OrgStatus(v.field("status"))
	saved, receipt, err := v.c.Registry.EditOrganization(v.r.Context(), v.caller().In(o.ID), o.ID, counterfoil.OrganizationEdit{Status: &status})
	if err != nil {
		return v.refused(v.managedPath(&o.Organization, ""), err)
	}
	if saved.Status == counterfoil.OrgSuspended {
		return v.say(v.managedPath(&saved, ""), "good", "Suspended. None of its tokens, and nobody of its members, is let in.", &receipt)
	}
	return v.say(v.managedPath(&saved, ""), "good", "Reactivated. Its tokens and members are let in again.", nil)
}

func (v *visit) askDeleteManaged() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	return v.show(200, "Delete "+o.Name, deleteManagedPage(v, &o, filled()))
}

func (v *visit) deleteManaged() error {
	o, _, err := v.findManaged()
	if err != nil {
		return err
	}
	if v.field("confirm") != strings.TrimSpace(o.Name) {
		f := newForm(v.r.PostForm)
		f.wrong("confirm", "this is not the organization's name")
		return v.show(422, "Delete "+o.Name, deleteManagedPage(v, &o, f))
	}
	receipt, err := v.c.Registry.DeleteOrganization(v.r.Context(), v.caller().In(o.ID), o.ID)
	if err != nil {
		return v.refused(v.managedPath(&o.Organization, ""), err)
	}
	return v.say(v.path("/organizations"), "good", "Deleted “"+o.Name+"”. Its past usage stays in your reports.", &receipt)
}

// licenseWords name a licence for people.
func licenseWords(l counterfoil.License) string {
	switch l {
	case counterfoil.LicenseTrial:
		return "Trial"
	case counterfoil.LicenseNFR:
		return "Not for resale (NFR)"
	}
	return "Standard"
}

func orgBadge(s counterfoil.OrgStatus) (tone, word string) {
	if s == counterfoil.OrgSuspended {
		return "warn", "Suspended"
	}
	return "good", "Active"
}

// licenseChoices are the licences that the form offers: a trial is for a new organization, or one that is on it.
func licenseChoices(o *counterfoil.ManagedOrganization) []counterfoil.License {
	if o == nil || o.License == counterfoil.LicenseTrial {
		return []counterfoil.License{counterfoil.LicenseStandard, counterfoil.LicenseTrial, counterfoil.LicenseNFR}
	}
	return []counterfoil.License{counterfoil.LicenseStandard, counterfoil.LicenseNFR}
}

func licenseHint(l counterfoil.License) string {
	switch l {
	case counterfoil.LicenseTrial:
		return "Free for 14 days, then standard by itself."
	case counterfoil.LicenseNFR:
		return "Free, for your own use. You have one."
	}
	return "Billed by its seats."
}

// planWords name a plan, which the configuration calls as it likes.
func planWords(plan string) string {
	if plan == "" {
		return "None"
	}
	return capital(plan)
}
