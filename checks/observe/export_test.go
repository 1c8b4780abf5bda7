package observe

import "time"

// KeepIdleFor sets for how long at the least the connection that is kept stays
// idle between two requests.
func (o *Observer) KeepIdleFor(idle time.Duration) { o.kept.every = idle }
