package observe

import "time"

// TakeTurnsEvery sets how far the turns of asking over the connection that is kept
// are apart, and has the next round be one.
func (o *Observer) TakeTurnsEvery(every time.Duration) {
	o.kept.every, o.kept.turn = every, time.Unix(0, 0)
}
