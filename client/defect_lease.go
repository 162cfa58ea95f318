//go:build defect_lease

package client

const defectLease = true
