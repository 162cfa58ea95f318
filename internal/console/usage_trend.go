package console

import (
	"fmt"

	"github.com/counterfoil/counterfoil/internal/registry"
)

// trend is a picture of months as columns, in units of its own; the table beside it says the same.
type trend struct {
	columns []column
	top     int // seats at the upper edge
	size    trendSize
}

type column struct {
	*registry.UsageTotal
	seats                    int
	x, y, width, height, mid string
	named                    bool // there is room for its texts
}

// trendSize is how wide a picture is, and how many of the last months it shows and leaves room for.
type trendSize struct{ width, most, room int }

var (
	trendWide   = trendSize{width: 640, most: usageMost, room: usageMonths}
	trendNarrow = trendSize{width: 280, most: 6, room: 4}
)

const (
	trendHeight = 160
	trendGap    = 8
	trendText   = 40 // what a column's texts take in width
)

// drawTrend lays the columns out. What adjustments have made negative has no column.
func drawTrend(months []registry.UsageTotal, size trendSize) trend {
	t := trend{size: size}
	months = months[max(0, len(months)-size.most):]
	for i := range months {
		t.top = max(t.top, months[i].AllBillable())
	}
	t.top = max(t.top, 1)
	step := float64(size.width) / float64(max(len(months), size.room))
	every := int(trendText/step) + 1
	for i := range months {
		seats := months[i].AllBillable()
		height := float64(max(seats, 0)) / float64(t.top) * trendHeight
		x := float64(i) * step
		t.columns = append(t.columns, column{&months[i], seats, units(x + trendGap/2), units(trendHeight - height), units(step - trendGap), units(height), units(x + step/2),
			(len(months)-1-i)%every == 0})
	}
	return t
}

func (t *trend) viewBox() string { return fmt.Sprintf("0 -18 %d 202", t.size.width) }

func (t *trend) right() string { return fmt.Sprint(t.size.width) }

// span names the months that are shown, of which there is one at least.
func (t *trend) span() string {
	return monthWords(t.columns[0].Month) + " to " + monthWords(t.columns[len(t.columns)-1].Month)
}

func units(f float64) string { return fmt.Sprintf("%.1f", f) }
