package judge

import "testing"

func TestALengthOfTimeHasNoSignThatATerminalMayLack(t *testing.T) {
	for length, want := range map[float64]string{0: "0s", 0.00001: "0s", 0.0002: "0.2ms", 0.00096: "1ms", 0.0123: "12.3ms", 0.99999: "1s", 1.25: "1.3s", 125: "2m05s"} {
		if got := seconds(length); got != want {
			t.Errorf("%v s: got %q, want %q", length, got, want)
		}
	}
}
