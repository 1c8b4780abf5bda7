package judge

import "github.com/kube-lifeline/lifeline/checks"

// identity tells whose facts these are. The downward API comes first, since a
// token may have been copied from another pod.
func identity(facts *checks.Facts) checks.Identity {
	pod := facts.DownwardAPI
	if facts.Token != nil && facts.Token.Claims != nil {
		claims := facts.Token.Claims
		pod.Name = first(pod.Name, claims.Pod)
		pod.Namespace = first(pod.Namespace, claims.Namespace)
		pod.Node = first(pod.Node, claims.Node)
		pod.ServiceAccount = first(pod.ServiceAccount, claims.ServiceAccount)
	}
	if facts.Token != nil {
		pod.UID = first(pod.UID, facts.Token.PodUIDFromMounts)
		if facts.Token.Claims != nil {
			pod.UID = first(pod.UID, facts.Token.Claims.PodUID)
		}
	}
	if facts.Environment != nil {
		pod.Namespace = first(pod.Namespace, facts.Environment.Namespace)
	}
	pod.Name = first(pod.Name, facts.Hostname)
	return pod
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
