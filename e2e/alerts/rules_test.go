// Package alerts_test holds the alerts, the recording rules and the dashboard of
// the chart to what they promise. The files beside it are tests for promtool.
package alerts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const rulesFile = "../../charts/lifeline/files/rules.yaml"

// rule is an alert or a recording rule, as Prometheus reads it.
type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	KeepFiring  string            `yaml:"keep_firing_for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

type ruleGroup struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type ruleFile struct {
	Groups []ruleGroup `yaml:"groups"`
}

func readRules(t *testing.T) ruleFile {
	t.Helper()
	var file ruleFile
	readYAML(t, rulesFile, &file)
	return file
}

func (f ruleFile) all() []rule {
	var all []rule
	for _, group := range f.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, into); err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
}

func writeYAML(t *testing.T, path string, content any) {
	t.Helper()
	written, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, written, 0o600); err != nil {
		t.Fatal(err)
	}
}

// promtool runs it, and returns what it prints.
func promtool(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("skipped: the tests of the rules, which need promtool, of Debian's package prometheus")
	}
	out, err := exec.CommandContext(t.Context(), program, arguments...).CombinedOutput()
	return string(out), err
}

func TestPrometheusAcceptsTheRules(t *testing.T) {
	if out, err := promtool(t, "check", "rules", rulesFile); err != nil {
		t.Errorf("promtool check rules: %v\n%s", err, out)
	}
}

func TestTheRulesDoWhatTheFilesBesideSay(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("find the files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			t.Parallel()
			if out, err := promtool(t, "test", "rules", file); err != nil {
				t.Errorf("promtool test rules: %v\n%s", err, out)
			}
		})
	}
}

// TestTheFilesNoticeABrokenRule breaks one thing after the other, of which the test
// named must tell.
func TestTheFilesNoticeABrokenRule(t *testing.T) {
	for _, broken := range []struct {
		// rule is the name of an alert or a recording rule.
		rule string
		// from becomes to in the expression of each rule of the name, and in how long
		// it keeps firing. Where it is empty, to is what the rule waits.
		from, to string
		// file and test are who must notice.
		file, test string
	}{
		{"agent:lifeline_failing:bool", "and on (cluster, namespace, pod, job, instance)\n  (lifeline_check_status{status=\"fail\"} or last_over_time(lifeline_check_status{status=\"fail\"}[2m])) == 1", "", "scope", "An agent without a round, or whose last is old, says nothing of its pod."},
		{"agent:lifeline_failing:bool", "by (cluster, node, namespace", "by (cluster, node, job, namespace", "scope", "An agent that two jobs scrape counts once."},
		{"agent:lifeline_failing:bool", "by (cluster, node", "by (node", "scope", "Two clusters have a Prometheus in common, and nodes and pods of the same names."},
		{"agent:lifeline_failing:bool", "[2m]", "[29s]", "scope", "Every ninth scrape is lost, and alerts fire all the same."},
		{"agent:lifeline_failing:bool", "[2m]", "[59s]", "scope", "The agent of a node that fails is replaced within a minute."},
		{"agent:lifeline_failing:bool", "on (cluster, namespace, pod, job, instance)", "on (cluster, job, instance)", "scope", "Two pods of a node have the same instance, of which one fails and the other has had no round."},
		{"agent:lifeline_cause:first", "agent:lifeline_cause:first unless", "vector(1) unless", "scope", "Every ninth scrape is lost, and alerts fire all the same."},
		{"agent:lifeline_cause:first", "unless on (cluster, namespace, pod, instance) lifeline_check_status", "", "scope", "A cause that gave way to another is not looked back for."},
		{"agent:lifeline_cause:first", "and on (cluster, node, namespace, pod, instance) agent:lifeline_failing:bool == 1", "", "scope", "A pod that is only warned of its manifest speaks for its node."},
		{"cluster_node:lifeline_failing:bool", "token-not-mounted-automount-false|", "", "scope", "A pod whose manifest is wrong is the only one on its node, and of it alone."},
		{"cluster_node:lifeline_failing:bool", "env-.+|", "", "scope", "The manifest of every pod is wrong, of which no node and no cluster is at fault."},
		{"cluster_node:lifeline_failing:bool", "min by", "max by", "scope", "One of two agents on a node fails, and that is the pod."},
		{"cluster:lifeline_nodes:count", "or agent:lifeline_down:bool", "", "scope", "Prometheus comes to scrape none but the agent of the node that fails."},
		{"LifelineClusterFailing", "5m", "0s", "scope", "Two of four nodes fail, and a third for half of every seven minutes."},
		{"LifelineClusterFailing", "> 0.5", ">= 0.5", "scope", "One of two nodes fails, which is not more than half of them."},
		{"LifelineClusterFailing", "", "5m", "scope", "Agents notice the beginning and the end of an outage one after the other."},
		{"LifelineNodeFailing", `unless on (cluster) ALERTS{alertname="LifelineClusterFailing", alertstate="firing"}`, "", "scope", "Both of two nodes fail."},
		{"LifelineNodeFailing", `unless on (cluster) ALERTS{alertname="LifelineClusterFailing", alertstate="firing"}`, "unless on (cluster) cluster:lifeline_failing_nodes:count / cluster:lifeline_nodes:count > 0.5", "scope", "What begins on one node comes to be the cluster's, and something fires all the while."},
		{"LifelineNodeFailing", "", "2m", "scope", "Agents notice the beginning and the end of an outage one after the other."},
		{"LifelinePodFailing", `unless on (cluster) ALERTS{alertname="LifelineClusterFailing", alertstate="firing"}`, "", "scope", "The only agent of the only node fails, and that is the cluster."},
		{"LifelinePodFailing", `unless on (cluster, node) ALERTS{alertname="LifelineNodeFailing", alertstate="firing"}`, "", "scope", "All agents on a node fail, and that is the node."},
		{"LifelinePodFailing", `unless on (cluster, node) ALERTS{alertname="LifelineNodeFailing", alertstate="firing"}`, "unless on (cluster, node) cluster_node:lifeline_failing:bool == 1", "scope", "What begins in one pod comes to be the node's, and something fires all the while."},
		{"LifelinePodFailing", "", "0s", "scope", "Something fails for too short a time."},
		{"LifelineTokenRotationStalled", `unless on (cluster) ALERTS{alertname="LifelineClusterFailing", alertstate="firing"}`, "", "rotation", "An outage of the API keeps every kubelet from rotating, and is told of alone."},
		{"LifelineTokenRotationStalled", `unless on (cluster, node) ALERTS{alertname="LifelineNodeFailing", alertstate="firing"}`, "", "rotation", "An outage of one node is told of alone for that node."},
		{"LifelineTokenRotationStalled", "", "0s", "rotation", "After the alert of an outage kubelet has five minutes for what it missed."},
		{"LifelineCAExpiring", "< 0.05", "< 0.06", "certificates", "The CA comes to have less than a twentieth of its lifetime left."},
		{"LifelineCAExpiring", `unless on (cluster) ALERTS{alertname="LifelineCAExpiring", severity="critical", alertstate="firing"}`, "", "certificates", "The CA comes to have less than a hundredth left, and something fires all the while."},
		{"LifelineServingCertificateExpiring", "min_over_time(cluster:lifeline_serving_certificate_lifetime_left:ratio[10m])", "cluster:lifeline_serving_certificate_lifetime_left:ratio", "certificates", "One of several API servers has an old certificate, and the only agent meets it now and then."},
		{"agent:lifeline_down:bool", "or agent:lifeline_down:bool", "", "down", "An agent cannot be scraped for hours, and then again."},
		{"agent:lifeline_down:bool", "and on (cluster, namespace, pod, job, instance) (present_over_time(lifeline_healthy[1h]) or agent:lifeline_down:bool)", "", "down", "A target that never was an agent is none of Lifeline's business."},
		{"agent:lifeline_down:bool", "on (cluster, namespace, pod, job, instance)", "on (cluster, job, instance)", "down", "Something else is down on the node of an agent, and both have the same instance."},
		{"agent:lifeline_down:bool", "on (cluster, namespace, pod, job, instance)", "on (job, instance)", "down", "In one of two clusters something else is down, at the address of an agent in the other."},
		{"LifelineAgentStale", "changes(lifeline_rounds_total[5m]) == 0", "lifeline_rounds_total", "stale", "The clock of a node is an hour behind, or an hour ahead."},
		{"LifelineAgentStale", "unless on (cluster, namespace, pod, job, instance) time() - lifeline_last_round_timestamp_seconds <= 3 * lifeline_interval_seconds", "", "stale", "An interval is longer than what is looked back."},
		{"LifelineAgentStale", "on (cluster, namespace, pod, job, instance)", "on (cluster, job, instance)", "stale", "Of two agents with the same instance one ends no round any more."},
		{"LifelineAgentStale", "unless on (cluster, namespace, pod, job, instance) up == 0", "", "stale", "An agent that ended one round cannot be scraped any more."},
		{"agent:lifeline_flapping:bool", "3.5", "2.5", "flapping", "Three times within an hour are not enough."},
		{"LifelineFlapping", `unless on (cluster) ALERTS{alertname="LifelineFlapping", scope="cluster", alertstate="firing"}`, "", "flapping", "Agents on more than half of the nodes flap, and that is the cluster."},
		{"agent:lifeline_flapping:bool", "- resets(lifeline_episodes_total[1h])", "", "flapping", "Through one outage an agent is started anew four times, and the outage ends."},
		{"LifelineFlapping", `unless on (cluster, node) ALERTS{alertname="LifelineNodeFailing", alertstate="firing"}`, "", "flapping", "A node that flapped fails for good, and that is what is told."},
		{"LifelineFlapping", `unless on (cluster) ALERTS{alertname="LifelineClusterFailing", alertstate="firing"}`, "", "flapping", "A cluster that flapped fails for good, and that is what is told."},
		{"cluster:lifeline_authenticates:ratio", `status=~"ok|warn"`, `status!="fail"`, "fleet", "Two of four agents fail, each in another way, and one is warned."},
	} {
		t.Run(broken.rule+" with "+broken.to+" for "+broken.from, func(t *testing.T) {
			t.Parallel()
			rules := readRules(t)
			found := false
			for _, group := range rules.Groups {
				for i := range group.Rules {
					one := &group.Rules[i]
					if one.Record+one.Alert != broken.rule {
						continue
					}
					if broken.from == "" {
						one.For, found = broken.to, true
						continue
					}
					found = found || strings.Contains(one.Expr+one.KeepFiring, broken.from)
					one.Expr = strings.ReplaceAll(one.Expr, broken.from, broken.to)
					one.KeepFiring = strings.ReplaceAll(one.KeepFiring, broken.from, broken.to)
				}
			}
			if !found {
				t.Fatalf("%s has no %s", broken.rule, broken.from)
			}
			folder := t.TempDir()
			writeYAML(t, filepath.Join(folder, "rules.yaml"), rules)
			writeYAML(t, filepath.Join(folder, "test.yaml"), only(t, broken.file+".yaml", broken.test))
			out, err := promtool(t, "test", "rules", filepath.Join(folder, "test.yaml"))
			if err == nil || !strings.Contains(out, "FAILED") || strings.Contains(out, "parse error") {
				t.Errorf("%q does not notice it: %v\n%s", broken.test, err, out)
			}
		})
	}
}

// only is a file for promtool with the test of a name alone, of rules in the same
// folder.
func only(t *testing.T, file, test string) map[string]any {
	t.Helper()
	var whole map[string]any
	readYAML(t, file, &whole)
	for _, one := range whole["tests"].([]any) {
		if one.(map[string]any)["name"] == test {
			whole["tests"] = []any{one}
			whole["rule_files"] = []string{"rules.yaml"}
			return whole
		}
	}
	t.Fatalf("%s has no test %q", file, test)
	return nil
}
