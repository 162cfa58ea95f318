//go:build defect_fencing

package store

const defectFencing = true
