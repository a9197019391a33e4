//go:build !race

package acceptance_test

// racing says that the race detector watches.
const racing = false
