package console

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/counterfoil/counterfoil"
	"github.com/counterfoil/counterfoil/internal/registry"
)

// markup is what somebody may call a thing who means harm; rtl turns what follows it around.
const (
	markup = `<img src=x onerror=pwn()><script>pwn()</script>"'&amp;{{7*7}}`
	rtl    = "\u202e"
	long   = "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW"
)

// harmed is an organization in which everything that somebody can name has such a name.
func harmed(t *testing.T) (*world, *person) {
	t.Helper()
	w, p := founded(t)
	ctx, op := t.Context(), registry.Operator()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := markup
	_, _, err := w.Registry.EditOrganization(ctx, op, w.org, counterfoil.OrganizationEdit{Name: &name})
	must(err)
	_, err = w.Registry.CreateIPFilter(ctx, op, w.org, counterfoil.IPFilterDraft{Name: markup, Rules: "# " + markup + "\nallow all"})
	must(err)
	for _, n := range []string{markup, long, "=HYPERLINK(0)", "a" + rtl + "b"} {
		_, err = w.Registry.AddMember(ctx, op, w.org, counterfoil.MemberDraft{Email: strings.Repeat("m", 1+len(n)%60) + "@example.com", Name: n, Roles: []string{"member"}})
		must(err)
		made, err := w.Registry.CreateToken(ctx, op, w.org, counterfoil.Draft{Kind: counterfoil.KindOrganization, Name: n, Permissions: []string{"devices:read"}, IPFilter: markup})
		must(err)
		w.works(made.Secret)
	}
	gone := w.token("gone " + markup)
	_, err = w.Registry.RevokeToken(ctx, op, w.org, gone.ID, strings.Repeat(markup, 5))
	must(err)
	slashless := strings.ReplaceAll(markup, "/", "|")
	metadata, err := json.Marshal(map[string]string{markup: markup, "long": strings.Repeat(long, 100)})
	must(err)
	_, err = w.Registry.WriteEvents(ctx, op, w.org, []counterfoil.EventDraft{{Type: slashless, Action: slashless, User: &counterfoil.DraftUser{Email: markup}, Metadata: metadata}})
	must(err)
	w.Verifier.FlushRefusals()
	return w, p
}

// foreign finds what markup became that should have stayed text, and text that turns its surroundings around.
const foreign = `(() => {
	const out = [...document.querySelectorAll("img[src=x], script:not([src])")].map((e) => e.outerHTML);
	if (window.pwned) out.push("it ran");
	if (document.documentElement.scrollWidth > document.documentElement.clientWidth) {
		const wide = [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1);
		out.push("it scrolls sideways: " + wide.slice(-2).map((e) => e.outerHTML.slice(0, 200)).join(" | "));
	}
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const at = texts.currentNode;
		if (at.data.includes("\u202e") && !at.parentElement.closest("bdi, textarea, option, pre, h1, .visually-hidden")) out.push("it turns its surroundings around: " + at.parentElement.outerHTML.slice(0, 300));
	}
	return out;
})()`

func TestNamesAreText(t *testing.T) {
	_, p := harmed(t)
	seen, queue, shown := map[string]int{}, []string{"/o/acme/tokens", "/account"}, 0
	for len(queue) > 0 {
		to := queue[0]
		queue = queue[1:]
		kind := ids.ReplaceAllString(to, "{id}")
		if seen[to] > 0 || seen[kind] == 4 {
			continue
		}
		seen[to]++
		seen[kind]++
		p.open(to)
		for _, width := range []int64{360, 1440} {
			p.do("changing the window", chromedp.EmulateViewport(width, 900))
			for _, f := range eval[[]string](p, foreign) {
				t.Errorf("%s, %d px: %s", kind, width, f)
			}
		}
		if strings.Contains(eval[string](p, `document.body.innerText`), markup) {
			shown++
		}
		queue = append(queue, p.links()...)
	}
	if shown < 10 {
		t.Errorf("only %d pages show the names as they are", shown)
	}
	rows, err := csv.NewReader(strings.NewReader(p.fetch("/o/acme/activity/export?format=csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	named := false
	for _, row := range rows {
		for _, cell := range row {
			named = named || cell == "'=HYPERLINK(0)"
			if strings.HasPrefix(cell, "=") {
				t.Errorf("the CSV has the formula %s", cell)
			}
		}
	}
	if !named {
		t.Error("the CSV does not have the name that looks like a formula")
	}
}

// TestLongName: what is too long is refused with words, and stays in the form as it was.
func TestLongName(t *testing.T) {
	_, p := founded(t)
	p.open("/o/acme/organization-tokens/new")
	name := strings.Repeat(markup, 10_000/len(markup))
	p.do("typing more than the field takes", chromedp.Evaluate(`document.querySelector("[name=name]").removeAttribute("maxlength")`, nil))
	p.fill("Name", name)
	p.click("checkbox", "Read devices devices:read")
	p.follow("button", "Create token")
	p.sees("100")
	if got := eval[string](p, `document.querySelector("[name=name]").value`); got != name {
		t.Errorf("the form has %.200q", got)
	}
	for _, f := range eval[[]string](p, foreign) {
		t.Error(f)
	}
}
