package console

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Everything on a page is found as a screen reader finds it: by role and name.

var fields = []string{"textbox", "searchbox", "spinbutton", "combobox", "Date"}

// lookup is the node of one of these roles with a name; 0 when there is none that can be reached.
func lookup(ctx context.Context, name string, roles ...string) (cdp.BackendNodeID, error) {
	root, err := dom.GetDocument().WithDepth(0).Do(ctx)
	if err != nil {
		return 0, err
	}
	nodes, err := accessibility.QueryAXTree().WithBackendNodeID(root.BackendNodeID).WithAccessibleName(name).Do(ctx)
	for _, n := range nodes {
		if !n.Ignored && n.Role != nil && slices.Contains(roles, plain(n.Role)) {
			return n.BackendDOMNodeID, nil
		}
	}
	return 0, err
}

func plain(v *accessibility.Value) (text string) {
	_ = json.Unmarshal(v.Value, &text) // a number or a flag is no text
	return text
}

func (p *person) find(name string, roles ...string) (id cdp.BackendNodeID) {
	p.t.Helper()
	p.until(fmt.Sprintf("finding a %s called %q", strings.Join(roles, " or "), name), func(ctx context.Context) (_ bool, err error) {
		id, err = lookup(ctx, name, roles...)
		return id != 0, err
	})
	return id
}

// finds waits for something without touching it.
func (p *person) finds(role, name string) {
	p.t.Helper()
	p.find(name, role)
}

// on calls a function of the page with a found node as this.
func on(ctx context.Context, id cdp.BackendNodeID, function string, value any) error {
	object, err := dom.ResolveNode().WithBackendNodeID(id).Do(ctx)
	if err != nil {
		return err
	}
	return chromedp.CallFunctionOn(function, value, func(c *runtime.CallFunctionOnParams) *runtime.CallFunctionOnParams {
		return c.WithObjectID(object.ObjectID)
	}).Do(ctx)
}

// spot is where something can be clicked; Free is false while something else lies over it.
type spot struct {
	X, Y float64
	Free bool
}

const findSpot = `function () {
	this.scrollIntoView({ block: "center", inline: "center" });
	const box = this.getClientRects()[0] ?? this.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
	const hit = document.elementFromPoint(x, y);
	return { X: x, Y: y, Free: !!hit && (this.contains(hit) || hit.contains(this) || !!hit.closest("label")?.contains(this)) };
}`

// click clicks with the mouse on what has a role and name.
func (p *person) click(role, name string) {
	p.t.Helper()
	p.press(p.find(name, role), name)
}

func (p *person) press(id cdp.BackendNodeID, name string) {
	p.t.Helper()
	p.until("clicking on "+name, func(ctx context.Context) (bool, error) {
		var s spot
		if err := on(ctx, id, findSpot, &s); err != nil || !s.Free {
			return false, err
		}
		for _, kind := range []input.MouseType{input.MouseMoved, input.MousePressed, input.MouseReleased} {
			event := input.DispatchMouseEvent(kind, s.X, s.Y)
			if kind != input.MouseMoved {
				event = event.WithButton(input.Left).WithClickCount(1)
			}
			if err := event.Do(ctx); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// tick clicks on the box or button whose label begins so; what explains it follows in many labels.
func (p *person) tick(begins string) {
	p.t.Helper()
	var id cdp.BackendNodeID
	p.until("finding a box called "+begins, func(ctx context.Context) (bool, error) {
		root, err := dom.GetDocument().WithDepth(0).Do(ctx)
		if err != nil {
			return false, err
		}
		for _, role := range []string{"checkbox", "radio"} {
			nodes, err := accessibility.QueryAXTree().WithBackendNodeID(root.BackendNodeID).WithRole(role).Do(ctx)
			if err != nil {
				return false, err
			}
			for _, n := range nodes {
				if !n.Ignored && n.Name != nil && strings.HasPrefix(plain(n.Name), begins) {
					id = n.BackendDOMNodeID
					return true, nil
				}
			}
		}
		return false, nil
	})
	p.press(id, begins)
}

// follow clicks on what leads to another page, and waits for it.
func (p *person) follow(role, name string) {
	p.t.Helper()
	p.leaving(func() { p.click(role, name) })
}

// fill types a text into a field in place of what was there, or chooses by typing where there is a choice.
func (p *person) fill(label, value string) {
	p.t.Helper()
	id := p.find(label, fields...)
	p.do("typing into "+label, chromedp.ActionFunc(func(ctx context.Context) error {
		var kind string
		const ready = `function () { this.scrollIntoView({ block: "center" }); this.blur(); this.focus(); this.select?.(); return document.activeElement === this ? this.type : "nothing that takes the focus" }`
		if err := on(ctx, id, ready, &kind); err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(kind, "nothing"):
			return fmt.Errorf("the field is %s", kind)
		case kind == "date" || kind == "select-one": // these take keys alone
			return chromedp.KeyEvent(value).Do(ctx)
		case value == "":
			return chromedp.KeyEvent(kb.Delete).Do(ctx)
		}
		return input.InsertText(value).Do(ctx)
	}))
}

// paste puts what was copied into a field, and returns it.
func (p *person) paste(label string) (value string) {
	p.t.Helper()
	id := p.find(label, fields...)
	p.press(id, label)
	p.do("pasting", input.DispatchKeyEvent(input.KeyDown).WithKey("v").WithModifiers(input.ModifierCtrl).WithCommands([]string{"paste"}),
		chromedp.ActionFunc(func(ctx context.Context) error { return on(ctx, id, `function () { return this.value }`, &value) }))
	return value
}

// keys presses keys, one after the other.
func (p *person) keys(keys ...string) {
	p.t.Helper()
	for _, k := range keys {
		p.do("pressing a key", chromedp.KeyEvent(k))
	}
}

// focus is the role and name of what has the focus.
func (p *person) focus() (role, name string) {
	p.t.Helper()
	p.do("asking where the focus is", chromedp.ActionFunc(func(ctx context.Context) error {
		object, _, err := runtime.Evaluate(`document.activeElement`).Do(ctx)
		if err != nil {
			return err
		}
		nodes, err := accessibility.GetPartialAXTree().WithObjectID(object.ObjectID).WithFetchRelatives(false).Do(ctx)
		if err == nil && len(nodes) > 0 && nodes[0].Role != nil && nodes[0].Name != nil {
			role, name = plain(nodes[0].Role), plain(nodes[0].Name)
		}
		return err
	}))
	return role, name
}

// tab goes on with the keyboard until the focus is on what has a role and name. What it passes must show the focus.
func (p *person) tab(role, name string) {
	p.t.Helper()
	var passed []string
	for range 80 {
		p.keys(kb.Tab)
		r, n := p.focus()
		if !eval[bool](p, shownFocus) {
			p.t.Errorf("nobody can see that the focus is on the %s %q", r, n)
		}
		if r == role && n == name {
			return
		}
		passed = append(passed, r+" "+n)
	}
	p.t.Fatalf("the keyboard does not come to the %s %q, but to %q", role, name, passed)
}

// shownFocus: a ring around what has the focus, or around what stands for it.
const shownFocus = `(() => {
	const ring = (e) => e && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2;
	const at = document.activeElement;
	return at === document.body || ring(at) || ring(at.nextElementSibling);
})()`

// gone waits until there is nothing of that role and name.
func (p *person) gone(role, name string) {
	p.t.Helper()
	p.until(fmt.Sprintf("seeing the %s %q go", role, name), func(ctx context.Context) (bool, error) {
		id, err := lookup(ctx, name, role)
		return id == 0, err
	})
}
