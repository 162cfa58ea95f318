//go:build defect_generation

package verify

const defectGeneration = true
