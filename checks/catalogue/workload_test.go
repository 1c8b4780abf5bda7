package catalogue

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAPodsNameTellsOfItsWorkload(t *testing.T) {
	for name, test := range map[string]struct{ pod, node, want string }{
		"of a Deployment":                                  {pod: "web-7d4b9c6f5d-x2x5l", want: "deployment/web"},
		"of a Deployment whose hash is short":              {pod: "web-6cdb79f8-kq9zv", want: "deployment/web"},
		"of a Deployment with dashes":                      {pod: "web-front-2-7d4b9c6f5d-24567", want: "deployment/web-front-2"},
		"of a Deployment with a dot":                       {pod: "web.example-7d4b9c6f5d-x2x5l", want: "deployment/web.example"},
		"of a Deployment, and its node is known":           {pod: "web-7d4b9c6f5d-x2x5l", node: "node-1", want: "deployment/web"},
		"of a DaemonSet":                                   {pod: "lifeline-x2x5l", want: "daemonset/lifeline"},
		"of a DaemonSet with what is no hash":              {pod: "web-7d4b9c6f5z-x2x5l", want: "daemonset/web-7d4b9c6f5z"},
		"of a StatefulSet":                                 {pod: "web-0", want: "statefulset/web"},
		"of a StatefulSet of many":                         {pod: "web-db-128", want: "statefulset/web-db"},
		"of nothing that is known":                         {},
		"without a dash":                                   {pod: "web"},
		"with letters that are never made up":              {pod: "web-abcde"},
		"with too few letters":                             {pod: "web-7d4b9c6f5d-x2x"},
		"with a number that no ordinal is":                 {pod: "web-01"},
		"with a number that is more than an ordinal":       {pod: "import-20261"},
		"with a number that may be letters that are drawn": {pod: "import-24567"},
		"of a run of a CronJob":                            {pod: "backup-29384750-x2x5l"},
		"of an index of a Job":                             {pod: "import-3-x2x5l"},
		"of a host's address":                              {pod: "ip-10-96-0-1"},
		"of numbers alone":                                 {pod: "10-0"},
		"of a static pod":                                  {pod: "kube-apiserver-control-0", node: "control-0"},
		"of a static pod whose node ends in letters":       {pod: "kube-proxy-pool-x2x5l", node: "pool-x2x5l"},
		"of a workload whose name was cut":                 {pod: strings.Repeat("w", 57) + "-x2x5l"},
		"with nothing before the hash":                     {pod: "-7d4b9c6f5d-x2x5l"},
		"with nothing before the letters":                  {pod: "-x2x5l"},
		"with two dashes":                                  {pod: "web--x2x5l"},
		"that a shell would act on":                        {pod: "$(id)-7d4b9c6f5d-x2x5l"},
		"that no name can be":                              {pod: "Web-7d4b9c6f5d-x2x5l"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := workloadOf(test.pod, test.node); got != test.want {
				t.Errorf("the pod %q on the node %q is of %q, want %q", test.pod, test.node, got, test.want)
			}
		})
	}
}

func TestAWorkloadIsNamedAsItsPodIs(t *testing.T) {
	entry := Entry{Mend: []string{"kubectl -n {namespace} rollout restart {workload}"}}
	for pod, want := range map[string]string{
		"web-7d4b9c6f5d-x2x5l": "kubectl -n shop rollout restart deployment/web",
		"lifeline-x2x5l":       "kubectl -n shop rollout restart daemonset/lifeline",
		"web-0":                "kubectl -n shop rollout restart statefulset/web",
		"web":                  "kubectl -n shop rollout restart deployment/NAME",
		"":                     "kubectl -n shop rollout restart deployment/NAME",
	} {
		if got := entry.For(Names{Namespace: "shop", Pod: pod}).Mend[0]; got != want {
			t.Errorf("for the pod %q got %q, want %q", pod, got, want)
		}
	}
}

func TestEveryStepLeavesTheWorkloadToThePodsName(t *testing.T) {
	for _, entry := range All() {
		for _, text := range slices.Concat(entry.Confirm, entry.Mend) {
			if regexp.MustCompile(`(deployment|daemonset|statefulset)[/ ]NAME`).MatchString(text) {
				t.Errorf("%s: the workload is named: %s", entry.Reason, text)
			}
		}
	}
}

func FuzzAWorkloadIsAPartOfThePodsName(f *testing.F) {
	f.Add("web-7d4b9c6f5d-x2x5l", "node-1")
	f.Add("web-0", "")
	f.Add("-.-0", "0")
	f.Fuzz(func(t *testing.T, pod, node string) {
		workload := workloadOf(pod, node)
		if workload == "" {
			return
		}
		kind, name, _ := strings.Cut(workload, "/")
		if name == "" || !strings.HasPrefix(pod, name+"-") || !strings.Contains("deployment daemonset statefulset", kind) {
			t.Errorf("the pod %q on the node %q is of %q", pod, node, workload)
		}
	})
}
