// Package consistency is tests alone: three real processes on a real PostgreSQL, faults, and a checker that reads what
// everybody saw. It holds the program to what docs/guarantees.md promises of several nodes.
package consistency
