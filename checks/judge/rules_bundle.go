package judge

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

// bundleRules are about a ca.crt that is at fault where the certificate of the server is
// told.
func bundleRules() []rule {
	unproven := []checks.Reason{checks.CAMITMOrWrongEndpoint, checks.CARotatedSameName, checks.CAMissingIntermediate}
	return []rule{
		{reason: checks.CABundleForeign, certainty: checks.Certain, refines: unproven, evidence: serverIsTheSame},
		{reason: checks.CABundleForeign, certainty: checks.Likely, refines: unproven[:1], evidence: serverIsAClusters},
		{reason: checks.CABundlePartiallyParsed, certainty: checks.Likely, explains: append(unproven, checks.CABundleForeign), moves: true, evidence: passedOverMayBeTheOne},
	}
}

// serverIsTheSame: of two that fit together and no longer do, one is as it was.
func serverIsTheSame(facts *checks.Facts) []string {
	leaf := unprovenLeaf(facts)
	if leaf == nil || facts.History == nil || !slices.Contains(facts.History.ProvenLeaves, leaf.SHA256) {
		return nil
	}
	return []string{fmt.Sprintf("The API server shows the very certificate that ca.crt proved to this pod before, so it is ca.crt that was replaced: it holds %s now.", authoritiesIn(facts))}
}

// serverIsAClusters: what is shown has the names of an API server and, for its issuer, the
// name of a cluster's authority, or ca.crt was put there by itself. An authority that looks
// into TLS goes by the name of a company or a product.
func serverIsAClusters(facts *checks.Facts) []string {
	leaf := unprovenLeaf(facts)
	if leaf == nil || !isForAPIServer(slices.Concat(leaf.DNSNames, leaf.IPAddresses), facts) {
		return nil
	}
	issuer := checks.TopOf(lastHandshake(facts.API.ServiceHost).Chain).Issuer
	mounted := facts.Token != nil && slices.ContainsFunc(facts.Token.Mounts, func(mount checks.Mount) bool { return filepath.Base(mount.Point) == "ca.crt" })
	if !mounted && !isAClusters(issuer) {
		return nil
	}
	evidence := []string{fmt.Sprintf("What is shown names what an API server's certificate does and is issued by %s, and ca.crt holds %s: that ca.crt is not this cluster's is likelier than that somebody stands before the API server.",
		cut(issuer), authoritiesIn(facts))}
	if mounted {
		evidence = append(evidence, "ca.crt is a mount of its own, and not what Kubernetes mounts.")
	}
	return evidence
}

// isAClusters knows authorities by their names as kubeadm, k3s, rke2 and OpenShift make them.
func isAClusters(issuer string) bool {
	return slices.ContainsFunc([]string{"kube", "k3s-server-ca", "rke2-server-ca"}, func(name string) bool { return strings.Contains(issuer, name) })
}

// unprovenLeaf is the certificate that the round was shown and ca.crt does not prove; nil
// where there is none, or where some connections met another that it does.
func unprovenLeaf(facts *checks.Facts) *checks.Certificate {
	if facts.API == nil || facts.CA == nil {
		return nil
	}
	handshake := lastHandshake(facts.API.ServiceHost)
	if handshake == nil || handshake.Failure == nil || handshake.Failure.Kind != checks.Untrusted || len(handshake.Chain) == 0 {
		return nil
	}
	if good, _ := byCertificate(facts); len(good) > 0 {
		return nil
	}
	return &handshake.Chain[0]
}

func authoritiesIn(facts *checks.Facts) string {
	var subjects []string
	for _, root := range rootsOf(facts.CA) {
		subjects = union(subjects, []string{cut(root.Subject)})
	}
	if len(subjects) == 0 {
		return "none"
	}
	return enumerate(subjects)
}

// passedOverMayBeTheOne: of a bundle of which a part is damaged the rest proves nobody.
func passedOverMayBeTheOne(facts *checks.Facts) []string {
	if unprovenLeaf(facts) == nil {
		return nil
	}
	certificates := 0
	for _, block := range facts.CA.Blocks {
		if block.Error == "" {
			certificates++
		}
	}
	damaged := slices.ContainsFunc(facts.CA.Blocks, func(block checks.PEMBlock) bool { return block.Malformed })
	if !damaged && facts.CA.Headers <= certificates {
		return nil
	}
	return []string{"What is left of it does not prove the API server, whose authority may be what is passed over."}
}
