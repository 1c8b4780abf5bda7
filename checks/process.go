package checks

import "time"

// ProcessFacts are what the agent saw of its own process, so that want of
// processor time is not taken for a slow network.
type ProcessFacts struct {
	// StartedAt is when the process began its first round, by the pod's clock.
	StartedAt time.Time `json:"startedAt"`
	// WaitedSeconds is for how long within the round the process was due to run
	// and was given no processor, LongestWaitSeconds the longest of these waits.
	WaitedSeconds      float64 `json:"waitedSeconds"`
	LongestWaitSeconds float64 `json:"longestWaitSeconds"`
	// Processor is what the process' control group may use; nil where the
	// process hardly waited or the control group cannot be read.
	Processor *ProcessorFacts `json:"processor,omitempty"`
}

// ProcessorFacts are out of the CPU controller of a control group (cpu.max and
// cpu.stat, Documentation/admin-guide/cgroup-v2.rst of Linux, or their
// counterparts of version 1).
type ProcessorFacts struct {
	// Limit is how many processors the quota comes to; 0 where there is none.
	Limit float64 `json:"limit,omitempty"`
	// Periods are the periods in which the group ran, Throttled those in which
	// it used its quota up, both since the container was made.
	Periods   uint64 `json:"periods"`
	Throttled uint64 `json:"throttled"`
}
