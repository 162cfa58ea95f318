// Command counterfoil is the service and its command line in one binary: the first group of verbs works
// on the service's own files, every other verb speaks to a running one over HTTP. It refuses to decide anything: it wires, asks and prints.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}
