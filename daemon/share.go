package daemon

import (
	"runtime"

	"glassward/config"
)

// What a workspace may use of the machine where there are many. Each store has an
// engine of its own with threads and memory of its own; a fleet of them is not to
// have a fleet's worth of either.
const (
	// together is how many tenants are thought to be busy at once: so many times
	// the whole is shared out, since most are quiet at any moment.
	together = 4
	// leastMemory is what an engine needs to load a whole block.
	leastMemory = 256 << 20
)

// threadsOf gives how many threads each engine may use, and memoryOf how many
// bytes: the whole where there are few tenants.
func threadsOf(c *config.Config) int {
	processors := runtime.GOMAXPROCS(0)
	return max(1, min(processors, together*processors/max(1, len(c.Each))))
}

func memoryOf(c *config.Config) int64 {
	whole := int64(c.Query.Memory)
	return min(whole, max(leastMemory, together*whole/int64(max(1, len(c.Each)))))
}

// queriesAtOnce is how many queries of people one workspace works on at once, the last of
// them kept free for a token that has none under way. More than the processors can work
// on take memory only, and of that there is enough for four.
func queriesAtOnce() int { return min(4, runtime.GOMAXPROCS(0)+1) }

// turnsAtOnce is how many batches are under way at once. One tenant's share a
// commit; more than the processors can work on wait for the disk.
func turnsAtOnce() int { return max(4, 2*runtime.GOMAXPROCS(0)) }
