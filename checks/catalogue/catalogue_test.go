package catalogue

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAllHasEveryReasonOnceInTheOrderOfTheLinks(t *testing.T) {
	var got, want []checks.Reason
	for _, entry := range All() {
		got = append(got, entry.Reason)
	}
	for _, link := range declaredReasons(t) {
		slices.Sort(link)
		want = append(want, link...)
	}
	if len(want) < 100 {
		t.Fatalf("only %d reasons were found in reason.go", len(want))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries differ from the constants of reason.go (-want +got):\n%s", diff)
	}
}

func TestAnEntryIsOfTheCheckOfItsReason(t *testing.T) {
	got, want := make(map[checks.Reason]checks.Name), make(map[checks.Reason]checks.Name)
	for _, entry := range All() {
		got[entry.Reason] = entry.Check
	}
	ofAnyCheck := checks.Name("")
	names := append(checks.Names(), ofAnyCheck)
	for i, link := range declaredReasons(t) {
		for _, reason := range link {
			want[reason] = names[i]
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries differ from the groups of reason.go (-want +got):\n%s", diff)
	}
}

// declaredReasons are the constants of type Reason by the declarations that
// group them, which are one a link.
func declaredReasons(t *testing.T) [][]checks.Reason {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "../reason.go", nil, 0)
	if err != nil {
		t.Fatalf("parsing the reasons: %v", err)
	}
	var links [][]checks.Reason
	for _, declaration := range file.Decls {
		constants, ok := declaration.(*ast.GenDecl)
		if !ok || constants.Tok != gotoken.CONST {
			continue
		}
		var link []checks.Reason
		for _, spec := range constants.Specs {
			value := spec.(*ast.ValueSpec)
			if kind, ok := value.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
				continue
			}
			code, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatalf("reading the constant %s: %v", value.Names[0].Name, err)
			}
			link = append(link, checks.Reason(code))
		}
		links = append(links, link)
	}
	return links
}

func TestLookupFindsTheEntryOfAReason(t *testing.T) {
	for _, want := range All() {
		got, ok := Lookup(want.Reason)
		if !ok {
			t.Errorf("Lookup(%q) found nothing", want.Reason)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Lookup(%q) differs from All (-want +got):\n%s", want.Reason, diff)
		}
	}
}

func TestLookupOfAnUnknownReasonFindsNothing(t *testing.T) {
	if got, ok := Lookup("no-such-reason"); ok {
		t.Errorf("Lookup of an unknown reason gave %v", got)
	}
}

func TestAnEntryBelongsToItsCaller(t *testing.T) {
	entry, _ := Lookup(checks.TokenExpired)
	want := entry.Mend[0]
	entry.Mend[0] = "changed"
	again, _ := Lookup(checks.TokenExpired)
	if got := again.Mend[0]; got != want {
		t.Errorf("after a caller changed its entry Mend begins %q, want %q", got, want)
	}
}

func TestTextsObeyTheirRules(t *testing.T) {
	sentenceEnd := regexp.MustCompile(`[^.][.]( |$)`)
	for _, entry := range All() {
		t.Run(string(entry.Reason), func(t *testing.T) {
			if entry.Title == "" || len(entry.Title) >= 70 || strings.HasSuffix(entry.Title, ".") {
				t.Errorf("the title %q is empty, has 70 characters or more, or ends with a full stop", entry.Title)
			}
			if count := len(sentenceEnd.FindAllString(entry.Means, -1)); count < 2 || count > 4 || !strings.HasSuffix(entry.Means, ".") {
				t.Errorf("Means has %d sentences and ends %q, want two to four sentences", count, entry.Means[max(0, len(entry.Means)-10):])
			}
			if len(entry.Confirm) == 0 || len(entry.Mend) == 0 {
				t.Error("there is nothing to confirm it by, or nothing to mend it by")
			}
			if page := entry.Page; page != "" && !regexp.MustCompile(`^https://(kubernetes\.io/docs|coredns\.io|go\.dev)/[a-z0-9/-]+$`).MatchString(page) {
				t.Errorf("the page %q is not an official one", page)
			}
			if text := entry.Title + entry.Means; strings.Contains(text, "{") {
				t.Errorf("the title or the meaning has a placeholder, which For does not fill: %s", text)
			}
		})
	}
}

// isSentence tells the sentences of Confirm and Mend from the commands.
func isSentence(text string) bool {
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, ":")
}

func TestConfirmAndMendAreSentencesAndCommandsOfOneLine(t *testing.T) {
	program := regexp.MustCompile(`^(kubectl|kubeadm|openssl|curl|journalctl|systemctl|crictl|chronyc|timedatectl|firewall-cmd|` +
		`sysctl|dmesg|nft|ip|tc|iptables|modprobe|uptime|sha256sum|grep|sed|scp|for|export|mkdir)( |$)`)
	for _, entry := range All() {
		for _, text := range slices.Concat(entry.Confirm, entry.Mend) {
			switch {
			case text != strings.TrimSpace(text) || strings.ContainsAny(text, "\n\t"):
				t.Errorf("%s: not one trimmed line: %q", entry.Reason, text)
			case isSentence(text):
				if first := text[:1]; first != strings.ToUpper(first) || program.MatchString(text) {
					t.Errorf("%s: a sentence that begins small, or a command that ends like one: %q", entry.Reason, text)
				}
			case !program.MatchString(text):
				t.Errorf("%s: neither a sentence nor a command: %q", entry.Reason, text)
			}
		}
	}
}

func TestCommandsCloseTheirQuotes(t *testing.T) {
	for _, entry := range All() {
		for _, text := range slices.Concat(entry.Confirm, entry.Mend) {
			if isSentence(text) {
				continue
			}
			var open rune
			for _, r := range text {
				switch {
				case open == 0 && (r == '\'' || r == '"'):
					open = r
				case r == open:
					open = 0
				}
			}
			if open != 0 {
				t.Errorf("%s: the quote %c stays open: %s", entry.Reason, open, text)
			}
		}
	}
}

// Commands that follow one another may share it.
func TestASentenceWithAColonLeadsToEveryCommand(t *testing.T) {
	for _, entry := range All() {
		for _, texts := range [][]string{entry.Confirm, entry.Mend} {
			for i, text := range texts {
				if !isSentence(text) && (i == 0 || strings.HasSuffix(texts[i-1], ".")) {
					t.Errorf("%s: no sentence says what this is for: %s", entry.Reason, text)
				}
			}
		}
	}
}

func TestASentenceWithAColonLeadsToSomething(t *testing.T) {
	for _, entry := range All() {
		for _, texts := range [][]string{entry.Confirm, entry.Mend} {
			if last := texts[len(texts)-1]; strings.HasSuffix(last, ":") {
				t.Errorf("%s: nothing follows %q", entry.Reason, last)
			}
		}
	}
}

// What only time or somebody's decision mends has none.
func TestEveryEntryHasACommandThatMends(t *testing.T) {
	without := map[checks.Reason]string{
		checks.CAExpiringSoon:             "a CA is rotated over days, by the page",
		checks.CertFailsPythonStrict:      "another CA is a plan, and the way around it a line of Python",
		checks.CertNameConstraints:        "a company issues its CA",
		checks.HTTPResponseCut:            "clients retry, or something on the way is to be found",
		checks.HTTPWarningHeaders:         "the warning says what to do",
		checks.TokenRejectedWhileRotating: "the next round is well",
		checks.WaitsFor:                   "another check is to be mended",
	}
	for _, entry := range All() {
		_, exempt := without[entry.Reason]
		if has := slices.ContainsFunc(entry.Mend, checks.IsCommand); has == exempt {
			t.Errorf("%s: it has a command under Mend: %t, and is among those that have none: %t", entry.Reason, has, exempt)
		}
	}
}

func TestConfirmingChangesNothing(t *testing.T) {
	for _, entry := range All() {
		for _, text := range entry.Confirm {
			if !isSentence(text) && (takesDown.MatchString(text) || changes.MatchString(text)) {
				t.Errorf("%s: a command to confirm changes something: %s", entry.Reason, text)
			}
		}
	}
}

// Lifeline's image is made from scratch: it has neither a shell nor cat.
func TestNothingButLifelineIsRunInItsOwnContainer(t *testing.T) {
	exec := regexp.MustCompile(`kubectl -n \{namespace\} exec \{pod\} (-c \S+)? ?-- (\S+)`)
	for _, entry := range All() {
		for i, text := range entry.Confirm {
			found := exec.FindStringSubmatch(text)
			switch {
			case found == nil:
				if strings.Contains(text, " exec ") {
					t.Errorf("%s: executes in no container that is known: %s", entry.Reason, text)
				}
			case found[1] == "-c CONTAINER":
				if i == 0 || entry.Confirm[i-1] != inApplication {
					t.Errorf("%s: no sentence says in which container: %s", entry.Reason, text)
				}
			case found[2] != "/lifeline":
				t.Errorf("%s: Lifeline's container has no %s: %s", entry.Reason, found[2], text)
			}
		}
		for _, text := range entry.Mend {
			if strings.Contains(text, " exec ") {
				t.Errorf("%s: mends by a command in a container: %s", entry.Reason, text)
			}
		}
	}
}

func TestAnEntryThatDebugsEndsItsConfirmWithWhatToDoWhereThatDoesNotStart(t *testing.T) {
	var some bool
	for _, entry := range All() {
		steps := entry.For(Names{}).Confirm
		debugging := strings.Contains(strings.Join(steps, "\n"), "kubectl -n NAMESPACE debug ")
		some = some || debugging
		if said := steps[len(steps)-1] == debugImage; said != debugging {
			t.Errorf("%s: it debugs: %t, and says what to do where that does not start: %t", entry.Reason, debugging, said)
		}
		if mends := strings.Contains(strings.Join(entry.Mend, "\n"), " debug "); mends && !debugging {
			t.Errorf("%s: kubectl debug is in Mend alone, where nothing is said of it", entry.Reason)
		}
	}
	if !some {
		t.Error("no entry uses kubectl debug")
	}
}

func TestWhatTakesSomethingDownIsNamedAsSuchAndComesLast(t *testing.T) {
	for _, entry := range All() {
		warned, begun := false, false
		for _, text := range entry.Mend {
			switch {
			case strings.HasPrefix(text, "Disruptive: "), strings.HasPrefix(text, "Destructive: "):
				warned = true
			case isSentence(text):
				if begun {
					warned = false
				}
			case takesDown.MatchString(text):
				begun = true
				if !warned {
					t.Errorf("%s: without a warning before it: %s", entry.Reason, text)
				}
			case begun && !warned:
				t.Errorf("%s: a harmless command after a disruptive one: %s", entry.Reason, text)
			}
		}
	}
}

var (
	takesDown = regexp.MustCompile(` (delete|drain|rollout restart|restart|certs renew|init phase|mv) |^(crictl stop|scp|sed -i) |--reload|makestep`)
	changes   = regexp.MustCompile(` (edit|patch|apply|annotate|scale|enable|create (serviceaccount|clusterrolebinding)|set env .*(=|-$)|sysctl -w) ?`)
)

func TestForFillsInThePodsOwnValues(t *testing.T) {
	entry := Entry{
		Confirm: []string{"{pod} {namespace} {node} {serviceaccount}"},
		Mend:    []string{`curl "https://{host}:{port}/" && dig -x {host} && nc {host} {port}`},
	}
	tests := map[string]struct {
		names   Names
		confirm string
		mend    string
	}{
		"all known": {
			names:   Names{Pod: "web-7d4b9-x2x", Namespace: "shop", Node: "node-1.example.com", ServiceAccount: "web", Host: "10.96.0.1", Port: "443"},
			confirm: "web-7d4b9-x2x shop node-1.example.com web",
			mend:    `curl "https://10.96.0.1:443/" && dig -x 10.96.0.1 && nc 10.96.0.1 443`,
		},
		"none known": {
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://HOST:PORT/" && dig -x HOST && nc HOST PORT`,
		},
		"an IPv6 host has brackets where a port follows": {
			names:   Names{Host: "fd00:10:96::1", Port: "443"},
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://[fd00:10:96::1]:443/" && dig -x fd00:10:96::1 && nc fd00:10:96::1 443`,
		},
		"an IPv6 host that has brackets already": {
			names:   Names{Host: "[fd00:10:96::1]", Port: "443"},
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://[fd00:10:96::1]:443/" && dig -x fd00:10:96::1 && nc fd00:10:96::1 443`,
		},
		"values that a shell would act on": {
			names:   Names{Pod: "web; reboot", Namespace: "$(id)", Node: "a|b", ServiceAccount: "`id`", Host: "10.96.0.1\nreboot", Port: "443&"},
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://HOST:PORT/" && dig -x HOST && nc HOST PORT`,
		},
		"values that would be options, paths, globs or placeholders": {
			names:   Names{Pod: "--all", Namespace: "-A", Node: "../node", ServiceAccount: "{pod}", Host: "10.*", Port: "~"},
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://HOST:PORT/" && dig -x HOST && nc HOST PORT`,
		},
		"values in letters that only look right, or longer than names can be": {
			names:   Names{Pod: "wеb", Namespace: "shop\u202e", Node: strings.Repeat("n", 254), ServiceAccount: "web\x00", Host: "10.96.0.1 ", Port: "４４３"},
			confirm: "POD NAMESPACE NODE SERVICEACCOUNT",
			mend:    `curl "https://HOST:PORT/" && dig -x HOST && nc HOST PORT`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := entry.For(test.names)
			want := Entry{Confirm: []string{test.confirm}, Mend: []string{test.mend}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("For gave another entry (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARangeHasTheHostAlone(t *testing.T) {
	entry := Entry{Mend: []string{"{hostrange}"}}
	for host, want := range map[string]string{
		"10.96.0.1":        "10.96.0.1/32",
		"fd00:10:96::1":    "fd00:10:96::1/128",
		"[fd00:10:96::1]":  "fd00:10:96::1/128",
		"api.example":      "HOST/32",
		"":                 "HOST/32",
		"10.96.0.1'; id #": "HOST/32",
	} {
		if got := entry.For(Names{Host: host}).Mend[0]; got != want {
			t.Errorf("the range of the host %q is %q, want %q", host, got, want)
		}
	}
}

func TestForLeavesTheEntryAsItWas(t *testing.T) {
	entry := Entry{Confirm: []string{"{pod}"}, Mend: []string{"{pod}"}}
	entry.For(Names{Pod: "web"})
	want := Entry{Confirm: []string{"{pod}"}, Mend: []string{"{pod}"}}
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Errorf("For changed its receiver (-want +got):\n%s", diff)
	}
}

func TestForLeavesNoPlaceholderInAnyEntry(t *testing.T) {
	placeholder := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, entry := range All() {
		filled := entry.For(Names{})
		for _, text := range slices.Concat(filled.Confirm, filled.Mend) {
			// curl and jq have braces of their own, which are not for For.
			if found := placeholder.FindString(curlVariable.ReplaceAllString(text, "")); found != "" {
				t.Errorf("%s: the placeholder %s is not known: %s", entry.Reason, found, text)
			}
		}
	}
}

var curlVariable = regexp.MustCompile(`%\{[a-z_]+\}`)

func FuzzForLetsNoShellMetacharacterThrough(f *testing.F) {
	f.Add("web-1", "shop", "node-1", "default", "10.96.0.1", "443")
	f.Add("$(id)", "`id`", "a;b", "a|b", "[fd00::1]", "443\n")
	f.Add("-A", "{node}", "{host}:{port}", "'\"", "]x[", "\\")
	safe := regexp.MustCompile(`^[A-Za-z0-9.:_][A-Za-z0-9.:_-]*$`)
	template := Entry{
		Confirm: []string{"{pod}", "{namespace}", "{node}", "{serviceaccount}"},
		Mend:    []string{"{host}", "{port}"},
	}
	together := Entry{Mend: []string{"{host}:{port}"}}
	slashed := Entry{Mend: []string{"{hostrange}", "{workload}"}}
	safeSlashed := regexp.MustCompile(`^[A-Za-z0-9.:_-]+/[A-Za-z0-9.:_-]+$`)
	safeTogether := regexp.MustCompile(`^(\[[A-Za-z0-9.:_-]+\]|[A-Za-z0-9._-]+):[A-Za-z0-9.:_-]+$`)
	f.Fuzz(func(t *testing.T, pod, namespace, node, serviceAccount, host, port string) {
		names := Names{Pod: pod, Namespace: namespace, Node: node, ServiceAccount: serviceAccount, Host: host, Port: port}
		filled := template.For(names)
		for _, got := range slices.Concat(filled.Confirm, filled.Mend) {
			if !safe.MatchString(got) {
				t.Errorf("For(%#v) let %q through", names, got)
			}
		}
		for _, got := range slashed.For(names).Mend {
			if !safeSlashed.MatchString(got) {
				t.Errorf("For(%#v) let %q through", names, got)
			}
		}
		if got := together.For(names).Mend[0]; !safeTogether.MatchString(got) {
			t.Errorf("For(%#v) let %q through", names, got)
		}
	})
}

func BenchmarkLookupOfTheLastReason(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Lookup(checks.WaitsFor); !ok {
			b.Fatal("the entry is gone")
		}
	}
}
