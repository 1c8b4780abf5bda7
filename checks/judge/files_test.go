package judge

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

func TestAnAgentThatMayOpenNoMoreFilesBlamesNoLink(t *testing.T) {
	const message = "open /sa/token: too many open files"
	read := func(f *checks.Facts) {
		for _, file := range []*checks.File{&f.Token.File, &f.CA.File, &f.Environment.NamespaceFile, &f.DNS.ResolvConf.File} {
			file.Problem, file.Error = checks.FileBeyondLimit, message
		}
		f.Token.Claims, f.CA.Blocks, f.CA.Headers, f.Environment.Namespace, f.DNS.ResolvConf.Nameservers = nil, nil, 0, "", nil
		unresolved()(f)
	}
	dialled := func(f *checks.Facts) {
		unresolved(broken(checks.OutOfFiles))(f)
		connectFails(checks.OutOfFiles)(f)
	}
	unproven := func(f *checks.Facts) {
		authority := newPKI(t)
		presented(authority, authority.serving())(f)
		read(f)
	}
	untold := func(f *checks.Facts) {
		read(f)
		f.API.ServiceHost.Authenticated = false
		unauthorizedAnswer(f)
	}
	for name, change := range map[string]func(*checks.Facts){"for files": read, "for connections": dialled, "for ca.crt": unproven, "for the token": untold} {
		facts := healthy(t)
		change(facts)
		report := Judge(facts, nil)
		var got []checks.Reason
		for _, finding := range report.Diagnosis {
			got = append(got, finding.Reason)
		}
		if diff := cmp.Diff([]checks.Reason{checks.AgentOutOfFiles}, got); diff != "" || report.Status != checks.Warn {
			t.Errorf("%s: the status is %s, want %s; the causes differ (-want +got):\n%s", name, report.Status, checks.Warn, diff)
		}
		if len(report.Access) > 0 {
			t.Errorf("%s: got %+v, want nothing of the ways of applications, which nobody has seen", name, report.Access)
		}
	}
}
