package judge

import (
	"fmt"

	"github.com/kube-lifeline/lifeline/checks"
)

// withoutFiles puts in the place of a check's problems that the agent may open no more
// files, where that kept it from what the check looks at. Applications have limits of their
// own.
func withoutFiles(name checks.Name, v verdict, facts *checks.Facts) verdict {
	met := beyondLimit(name, facts)
	if met == "" || v.waitsFor != "" || len(v.problems) == 0 {
		return v
	}
	v.problems = []problem{warning(checks.AgentOutOfFiles,
		fmt.Sprintf("Lifeline's own process may open no more files or connections, so this says nothing of the pod: %s.", sentencePart(met)),
		"files and connections that can be opened", "too many open files").likely()}
	return v
}

// beyondLimit is what a check met that no more files may be opened; empty where it did not.
func beyondLimit(name checks.Name, facts *checks.Facts) string {
	switch name {
	case checks.Environment:
		return ofFiles(facts.Environment.NamespaceFile)
	case checks.Token:
		return ofFiles(facts.Token.File)
	case checks.CA:
		return ofFiles(facts.CA.File)
	case checks.DNS:
		met := ofFiles(facts.DNS.ResolvConf.File, facts.DNS.HostsFile)
		for _, query := range facts.DNS.Lookup.Queries {
			met = first(met, ofFailure(query.Failure))
		}
		return met
	case checks.KubectlProxy:
		return ofFailure(facts.KubectlProxy.Attempt.Last().Failure)
	default:
		if facts.API == nil {
			return ""
		}
		return ofFailure(facts.API.ServiceHost.Last().Failure)
	}
}

func ofFiles(files ...checks.File) string {
	for _, file := range files {
		if file.Problem == checks.FileBeyondLimit {
			return file.Error
		}
	}
	return ""
}

func ofFailure(failure *checks.Failure) string {
	if failure == nil || failure.Kind != checks.OutOfFiles {
		return ""
	}
	return failure.Message
}
