//go:build !defect_fencing

package store

// defectFencing is set in the build that shows that the tests of several nodes can fail.
const defectFencing = false
