package console

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/counterfoil/counterfoil/internal/registry"
)

var pictures = flag.String("pictures", "", "a directory for pictures of the pages; make screenshots sets it")

// TestPictures takes a picture of each main page in both themes, for the documentation.
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("pictures are taken by make screenshots")
	}
	l, p := lived(t)
	stranger := newPerson(t, l.url)
	linus, emmy := l.member("linus@example.com"), l.member("emmy@example.com")
	invitation, err := l.Registry.LinkMember(t.Context(), registry.Operator(), l.org, emmy.ID)
	l.must(err)
	edited, err := l.Registry.Events(t.Context(), registry.Operator(), l.org, registry.EventQuery{Type: "access/user_status_updated", Newest: true, Limit: 1})
	l.must(err)
	for _, theme := range []string{"light", "dark"} {
		take := func(p *person, name string) {
			t.Helper()
			p.picture(filepath.Join(*pictures, "console-"+name+"-"+theme+".png"))
		}
		for _, somebody := range []*person{stranger, p} {
			somebody.do("choosing a theme", emulation.SetScrollbarsHidden(true), chromedp.EmulateViewport(1200, 800),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
		}
		stranger.open("/sign-in")
		take(stranger, "sign-in")
		for _, c := range []struct{ name, path string }{
			{"tokens", "/tokens"}, {"token", "/tokens/" + l.collector.Token.ID}, {"all-tokens", "/all-tokens"}, {"members", "/members"}, {"roles", "/roles"},
			{"refusal", "/refusals/" + l.refusal}, {"activity", "/activity"}, {"policies", "/policies"}, {"ip-filters", "/ip-filters"},
			{"permissions", "/permissions"}, {"integrations", "/integrations"},
			{"organization-tokens", "/organization-tokens"}, {"token-edit", "/tokens/" + l.collector.Token.ID + "/edit"},
			{"token-rotate", "/tokens/" + l.collector.Token.ID + "/rotate"}, {"member-invite", "/members/new"},
			{"role-new", "/roles/new"}, {"refusals", "/refusals"}, {"ip-filter-new", "/ip-filters/new"}, {"splunk", "/integrations/splunk"},
			{"custom", "/integrations/custom"}, {"sentinel", "/integrations/sentinel"}, {"webhooks", "/webhooks"}, {"webhook-new", "/webhooks/new"},
			{"member", "/members/" + linus.ID}, {"event", fmt.Sprintf("/activity/%d", edited.Data[0].Number)}, {"retention", "/retention"},
		} {
			p.open("/o/acme" + c.path)
			take(p, c.name)
		}
		p.open("/account")
		take(p, "account")
		for _, c := range []string{"password", "totp", "passkeys/new"} {
			p.open("/account/" + c)
			take(p, "account-"+filepath.Base(strings.TrimSuffix(c, "/new")))
		}
		for _, c := range []string{"forgot", "nothing-here"} {
			stranger.open("/" + c)
			take(stranger, c)
		}
		stranger.open(invitation.URL)
		take(stranger, "invitation")
		p.open("/o/acme/policies/organization")
		p.tick("At most…")
		p.fill("Longest lifetime: how many", "20")
		p.sees("2 tokens that work now would be refused")
		take(p, "policy")
		p.open("/o/acme/organization-tokens")
		p.click("link", "Delete Nightly backup")
		p.finds("dialog", "Delete “Nightly backup”?")
		take(p, "delete")
		p.open("/o/acme/tokens/new")
		p.fill("Name", "Map on the wall")
		p.tick("Read devices")
		p.tick("Read sites")
		p.sees("Map on the wall may read devices and read sites")
		take(p, "new-token")
		p.follow("button", "Create token")
		p.value()
		take(p, "reveal")
		p.click("checkbox", "I have saved this token")
		p.follow("button", "Done")
		p.click("link", "Delete Map on the wall")
		p.follow("button", "Delete token")
	}
}

// TestPicturesOfAProvider are those of the pages that a provider has.
func TestPicturesOfAProvider(t *testing.T) {
	if *pictures == "" {
		t.Skip("pictures are taken by make screenshots")
	}
	_, p, tess := busy(t)
	for _, theme := range []string{"light", "dark"} {
		p.do("choosing a theme", emulation.SetScrollbarsHidden(true), chromedp.EmulateViewport(1200, 800),
			emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}))
		for _, c := range []struct{ name, path string }{
			{"managed", "/northwind-msp/organizations"}, {"managed-one", "/northwind-msp/organizations/alpine-rescue"}, {"usage", "/northwind-msp/usage?from=2026-08&to=2026-10"},
			{"provider-api", "/northwind-msp/provider-api"}, {"provider-key-new", "/northwind-msp/provider-api/new"}, {"assignments", "/northwind-msp/members/" + tess.ID + "/organizations"},
			{"inside", "/alpine-rescue/members"},
		} {
			p.open("/o" + c.path)
			p.picture(filepath.Join(*pictures, "console-"+c.name+"-"+theme+".png"))
		}
	}
}

// picture writes what the window shows as a small PNG.
func (p *person) picture(file string) {
	p.t.Helper()
	var shot []byte
	p.do("taking a picture", chromedp.Evaluate(`scrollTo(0, 0); for (const e of document.querySelectorAll(".picker-list")) e.scrollTop = 0; document.activeElement.blur(); document.fonts.ready.then(() => 0)`, nil, awaited), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		shot, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		return err
	}))
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, indexed(full)); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// indexed is a picture in its 256 most frequent colours: pages have few.
func indexed(full image.Image) image.Image {
	count := map[color.Color]int{}
	b := full.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	var palette color.Palette
	for c := range count {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int {
		if d := count[b] - count[a]; d != 0 {
			return d
		}
		return int(rank(a)) - int(rank(b))
	})
	out := image.NewPaletted(b, palette[:min(len(palette), 256)])
	draw.Draw(out, b, full, b.Min, draw.Src)
	return out
}

func rank(c color.Color) uint32 {
	r, g, b, _ := c.RGBA()
	return r>>8<<16 | g>>8<<8 | b>>8
}
