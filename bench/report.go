//go:build linux

package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// row is one thing that was measured.
type row struct {
	what   string
	value  string
	beside string // what it is compared with; empty: nothing
	ratio  float64
	unit   string // of ratio: "×", "ms", …; empty: the row is for information
	gate   float64
	wish   float64
	least  bool // gate and wish are what it must reach, not what it may cost
}

type report struct{ rows []row }

func (r *report) add(x row) { r.rows = append(r.rows, x) }

// note adds a row that has no gate.
func (r *report) note(what, value, beside string) {
	r.add(row{what: what, value: value, beside: beside})
}

func (x row) reaches(limit float64) bool {
	if x.least {
		return x.ratio >= limit
	}
	return x.ratio <= limit
}

// print writes the table and reports whether every gate was reached.
func (r *report) print(out io.Writer) (ok bool) {
	ok = true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nwhat\tmeasured\tbeside\tratio\tgate\twish\t")
	for _, x := range r.rows {
		if x.unit == "" {
			fmt.Fprintf(w, "%s\t%s\t%s\t\t\t\t\n", x.what, x.value, x.beside)
			continue
		}
		sign, verdict := "≤", "wish reached"
		if x.least {
			sign = "≥"
		}
		switch {
		case !x.reaches(x.gate):
			verdict, ok = "MISSED", false
		case !x.reaches(x.wish):
			verdict = "ok"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s %s\t%s %s\t%s\n", x.what, x.value, x.beside, number(x.ratio)+" "+x.unit,
			sign, number(x.gate), sign, number(x.wish), verdict)
	}
	_ = w.Flush()
	return ok
}

func number(f float64) string {
	switch {
	case f >= 100 || f == float64(int(f)):
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

// median of what was measured; 0 of nothing.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[n/2] + sorted[(n-1)/2]) / 2
}

// ratios divides pairwise.
func ratios(above, below []float64) []float64 {
	out := make([]float64, len(above))
	for i := range above {
		out[i] = above[i] / below[i]
	}
	return out
}
