//go:build !defect_generation

package verify

// defectGeneration is set in the build that shows that the tests of several nodes can fail.
const defectGeneration = false
