package browser_test

import "fmt"

// most is what the page may weigh with all that belongs to it, as it comes over
// the network, in bytes.
const most = 60_000

// weighsLittle adds up what the browser was sent for the page. What the script
// asks for afterwards is not counted.
func (p tab) weighsLittle() {
	p.t.Helper()
	var loaded []request
	p.within(patience, "loading the page", func() string {
		var complete bool
		if loaded, complete = p.watch.loaded(); !complete {
			return "a part of it is still under way"
		}
		return ""
	})
	var sum float64
	for _, part := range loaded {
		sum += part.bytes
	}
	parts := fmt.Sprintf("%.0f bytes in all:", sum)
	for _, part := range loaded {
		parts += fmt.Sprintf(" %s %.0f", part.path, part.bytes)
	}
	p.t.Log(parts)
	if sum > most {
		p.t.Errorf("the page weighs more than %d bytes: %s", most, parts)
	}
}
