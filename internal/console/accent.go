package console

import (
	"fmt"
	"math"
	"strconv"
)

// accentStyle is the product's own colour, where it has one, made darker for light pages and lighter for dark ones until
// text in it, and text on it, can be read (WCAG 2.2 success criterion 1.4.3: a contrast of 4.5).
func (c *Console) accentStyle(nonce string) string {
	if c.Accent == "" {
		return ""
	}
	own := parseColour(c.Accent)
	light, dark := own.until(black, white), own.until(white, colour{0x1c, 0x1f, 0x22})
	soft := fmt.Sprintf("light-dark(%s, %s)", own.mixed(white, 0.88), own.mixed(colour{0x1c, 0x1f, 0x22}, 0.8))
	return fmt.Sprintf(`<style nonce="%s">@layer base { :root { --accent: light-dark(%s, %s); --accent-ink: light-dark(#ffffff, #101314); --accent-soft: %s; } }</style>`,
		nonce, light, dark, soft)
}

type colour [3]float64 // sRGB, 0 to 255

var black, white = colour{}, colour{255, 255, 255}

// parseColour reads #rrggbb; New has checked the form.
func parseColour(text string) (c colour) {
	for i := range c {
		n, _ := strconv.ParseUint(text[1+2*i:3+2*i], 16, 8)
		c[i] = float64(n)
	}
	return c
}

func (c colour) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]+0.5), int(c[1]+0.5), int(c[2]+0.5))
}

// mixed is c with a share of another colour in it.
func (c colour) mixed(with colour, share float64) colour {
	for i := range c {
		c[i] += (with[i] - c[i]) * share
	}
	return c
}

// until moves c towards a colour until it can be read on the ground, also where the ground is a little tinted.
func (c colour) until(towards, ground colour) colour {
	for share := 0.0; share < 1; share += 0.02 {
		if m := c.mixed(towards, share); contrast(m, ground) >= 5.3 {
			return m
		}
	}
	return towards
}

func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v /= 255; v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}
