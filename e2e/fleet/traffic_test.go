package fleet_test

import (
	"fmt"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// traffic counts what an API server is asked.
type traffic struct{ requests, handshakes *count }

func newTraffic(agents int, length time.Duration) *traffic {
	return &traffic{newCount(agents, length), newCount(agents, length)}
}

// count counts one thing: each second that of all agents, and in each interval that
// of each agent.
type count struct {
	start time.Time

	mu      sync.Mutex
	seconds []int
	agents  [][]uint8
}

func newCount(agents int, length time.Duration) *count {
	c := &count{start: time.Now(), seconds: make([]int, length/time.Second+1), agents: make([][]uint8, agents)}
	for i := range c.agents {
		c.agents[i] = make([]uint8, length/interval+1)
	}
	return c
}

func (c *count) add(agent int) {
	at := time.Since(c.start)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seconds[at/time.Second]++
	c.agents[agent][at/interval]++
}

// summary is of a part of the time.
type summary struct {
	// mean and peak are of the counts of its seconds.
	mean float64
	peak int
	// most is the most of one agent in one interval, and moreThanOne is in how many of
	// the agents' intervals there was more than one.
	most        int
	moreThanOne float64
}

func (c *count) within(from, to time.Duration) (sum summary) {
	for _, count := range c.seconds[from/time.Second : to/time.Second] {
		sum.mean += float64(count)
		sum.peak = max(sum.peak, count)
	}
	sum.mean /= (to - from).Seconds()
	all := 0
	for _, intervals := range c.agents {
		for _, count := range intervals[from/interval : to/interval] {
			all++
			sum.most = max(sum.most, int(count))
			if count > 1 {
				sum.moreThanOne++
			}
		}
	}
	sum.moreThanOne /= float64(all)
	return sum
}

// peakOverMean is 1 where there is next to nothing.
func (s summary) peakOverMean() float64 {
	if s.mean < 1 {
		return 1
	}
	return float64(s.peak) / s.mean
}

// settled is how long after a moment the last second was of which the count is above
// the mean of the last ones by more than a fifth.
func (c *count) settled(from, end, last time.Duration) time.Duration {
	mean := c.within(end-last, end).mean
	limit := unevenness + noise(len(c.agents), mean)
	for at := end; at > from; at -= time.Second {
		if float64(c.seconds[at/time.Second-1]) > limit*mean {
			return at - from
		}
	}
	return 0
}

// row is a part of a scene in the table.
type row struct {
	scene, part          string
	agents               int
	requests, handshakes summary
	// settled is how long after its beginning it is until no peak comes any more.
	settled time.Duration
}

func table(scenes [][]row) string {
	var out strings.Builder
	fmt.Fprintf(&out, "an interval of %s, one API server\n\n", interval)
	lines := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(lines, "agents\trequests/s\tpeak\tpeak/mean\tmost of an agent\thandshakes/s\tpeak\tmost of an agent\teven after\t  scene")
	for _, rows := range scenes {
		for _, row := range rows {
			r, h := row.requests, row.handshakes
			fmt.Fprintf(lines, "%d\t%.0f\t%d\t%.2f\t%d (%.0f %%)\t%.0f\t%d\t%d (%.0f %%)\t%s\t  %s\n",
				row.agents, r.mean, r.peak, r.peakOverMean(), r.most, 100*r.moreThanOne, h.mean, h.peak, h.most, 100*h.moreThanOne, row.settled,
				strings.TrimSuffix(row.scene+": "+row.part, ": "))
		}
	}
	_ = lines.Flush()
	return out.String()
}
