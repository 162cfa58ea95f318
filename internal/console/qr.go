package console

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrPath draws a text as a QR code: the path of an SVG whose view box is size × size, with the quiet zone that readers
// want around it.
func qrPath(text string) (path string, size int, err error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", 0, fmt.Errorf("drawing a QR code: %w", err)
	}
	const quiet = 4
	var b strings.Builder
	bounds := code.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x-bounds.Min.X+quiet, y-bounds.Min.Y+quiet)
			}
		}
	}
	return b.String(), bounds.Dx() + 2*quiet, nil
}
