//go:build !defect_eviction

package verify

// defectEviction is set in the build that shows that the tests of several nodes can fail.
const defectEviction = false
