//go:build defect_eviction

package verify

const defectEviction = true
