//go:build !defect_lease

package client

// defectLease is set in the build that shows that the tests of verifiers can fail: once trusted, always trusted.
const defectLease = false
