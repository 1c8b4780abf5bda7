package observe

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestARoundThatWaitsForTheNetworkAloneWaitsForNoProcessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting := waitForProcessor()
		time.Sleep(time.Second)
		if got := waiting.stop(); got.total > 0 {
			t.Errorf("got waits of %s within a second of sleep", got.total)
		}
	})
}

func TestTheProcessorsOfAControlGroupAreReadInBothVersions(t *testing.T) {
	const stat = "usage_usec 1\nnr_periods 300\nnr_throttled 211\nthrottled_usec 5\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  *checks.ProcessorFacts
	}{
		{"version 2", map[string]string{"cpu.stat": stat, "cpu.max": "1000 100000\n"}, &checks.ProcessorFacts{Limit: 0.01, Periods: 300, Throttled: 211}},
		{"version 2 without a limit", map[string]string{"cpu.stat": stat, "cpu.max": "max 100000\n"}, &checks.ProcessorFacts{Periods: 300, Throttled: 211}},
		{"version 1", map[string]string{"cpu/cpu.stat": stat, "cpu/cpu.cfs_quota_us": "150000\n", "cpu/cpu.cfs_period_us": "100000\n"}, &checks.ProcessorFacts{Limit: 1.5, Periods: 300, Throttled: 211}},
		{"version 1 without a limit", map[string]string{"cpu,cpuacct/cpu.stat": stat, "cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, &checks.ProcessorFacts{Periods: 300, Throttled: 211}},
		{"what is no number", map[string]string{"cpu.stat": "nr_periods many\n", "cpu.max": "a b\n"}, &checks.ProcessorFacts{}},
		{"no control group", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := gocmp.Diff(test.want, readProcessor(root)); diff != "" {
				t.Errorf("the facts differ (-want +got):\n%s", diff)
			}
		})
	}
}
