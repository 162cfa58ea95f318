package console

import (
	"fmt"

	"github.com/counterfoil/counterfoil/internal/registry"
)

// trend is a picture of months as columns, in units of its own; the table beside it says the same.
type trend struct {
	columns []column
	top     int // seats at the upper edge
}

type column struct {
	*registry.UsageTotal
	seats                    int
	x, y, width, height, mid string
}

const (
	trendWidth, trendHeight = 640, 160
	trendGap                = 8
)

// drawTrend lays the columns out. What adjustments have made negative has no column.
func drawTrend(months []registry.UsageTotal) (t trend) {
	for i := range months {
		t.top = max(t.top, months[i].AllBillable())
	}
	t.top = max(t.top, 1)
	step := float64(trendWidth) / float64(max(len(months), usageMonths))
	for i := range months {
		seats := months[i].AllBillable()
		height := float64(max(seats, 0)) / float64(t.top) * trendHeight
		x := float64(i) * step
		t.columns = append(t.columns, column{&months[i], seats, units(x + trendGap/2), units(trendHeight - height), units(step - trendGap), units(height), units(x + step/2)})
	}
	return t
}

func units(f float64) string { return fmt.Sprintf("%.1f", f) }
