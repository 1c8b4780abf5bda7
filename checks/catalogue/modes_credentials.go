package catalogue

import (
	"slices"

	"github.com/kube-lifeline/lifeline/checks"
)

func environmentModes() []Mode {
	modes := diagnosed(
		checks.EnvServiceVarsMissing,
		checks.EnvServiceHostOverridden,
		checks.EnvServiceHostStale,
		checks.EnvHTTPProxyInterceptsAPI,
	)
	return append(modes,
		outOfScope("env-enableservicelinks-red-herring",
			"It is no fault: enableServiceLinks false leaves the variables of the Service kubernetes in place, so it is never why they are missing."),
		outOfScope("env-ipv6-unbracketed",
			"An IPv6 address stands without brackets in the variable, as it should, and it is the application that forgets them when it makes a URL. The official clients do not."),
	)
}

func tokenModes() []Mode {
	modes := diagnosed(
		checks.TokenNotMountedAutomountFalse,
		checks.TokenMountShadowed,
		checks.TokenFileMissingInMountedDir,
		checks.TokenPermissionDenied,
		checks.TokenEmpty,
		checks.TokenMalformed,
		checks.TokenTrailingNewline,
		checks.TokenExpired,
		checks.TokenPastWarnAfter,
		checks.TokenRotationStalled,
		checks.TokenSubPathFrozen,
		checks.TokenAudienceMismatch,
		checks.TokenPodMismatch,
		checks.TokenLegacySecretNoExp,
		checks.TokenLegacyInvalidated,
		checks.TokenNodeBoundInvalid,
		checks.TokenIntermittentByAPIServer,
		checks.TokenNotYetValidAfterClockJump,
		checks.TokenLocalClockSkew,
		checks.TokenNamespaceFileMismatch,
	)
	return slices.Concat(modes, rejectedTokens(), []Mode{
		toldAs("token-double-space-header", checks.TokenTrailingNewline,
			"An application that puts the content of a file with a leading space behind \"Bearer \" sends two of them. White space in the file is told; what else an application does to its header it does by itself."),
		toldAs("token-rotation-blocked-by-sibling-source", checks.TokenRotationStalled,
			"kubelet writes a projected volume whole or not at all, so a ConfigMap that is gone stops the token as a kubelet that is down does. Which one it is stands in the pod's events."),
		outOfScope("token-cached-by-app",
			"What an application keeps in its memory is not to be seen from beside it. That Lifeline's fresh token is accepted at the same moment is the proof that the application's is old."),
		outOfScope("token-short-ttl",
			"A short lifetime is what somebody asked for, and kubelet rotates such a token in time. The report shows its lifetime, and a rotation that is late is told as for every other token."),
		outOfScope("token-python-v36-no-header",
			"It is an error of one release of the Python client, which is part of the application's image. What a sound Python client would get is told in the ways to the API."),
		outOfScope("token-windows-hostprocess-path",
			"Lifeline runs on Linux nodes, where volumes are mounted at the path that the pod names."),
	})
}

// rejectedTokens are modes in which the API server answers 401, whose body is
// always the same.
func rejectedTokens() []Mode {
	return []Mode{
		toldAs("token-issuer-not-accepted", checks.HTTP401Unattributed,
			"Which issuers the API server accepts it tells only to those whom it accepts. The token's own issuer is in the report, to compare with that of a token issued now."),
		toldAs("token-service-account-deleted", checks.HTTP401Unattributed,
			"Whether the ServiceAccount exists is known to the API alone, which does not answer a token of one that is gone."),
		toldAs("token-service-account-recreated", checks.HTTP401Unattributed,
			"The token holds the UID of the old ServiceAccount, and that of the new one stands in the API, which does not answer this token."),
		toldAs("token-signing-key-unknown", checks.HTTP401Unattributed,
			"Which keys the API server knows it tells only to those whom it accepts. The token's own key id is in the report, to compare with that of a token issued now."),
		toldAs("token-invalid-while-terminating", checks.HTTP401Unattributed,
			"When the pod was deleted stands in the API. Within it there is only the signal to end, at which Lifeline ends as well."),
	}
}

func certificateModes() []Mode {
	modes := diagnosed(
		checks.CAFileMissing,
		checks.CAFileEmptyOrNotPEM,
		checks.CABundlePartiallyParsed,
		checks.CAExpired,
		checks.CANotYetValid,
		checks.CARotatedSameName,
		checks.CAMITMOrWrongEndpoint,
		checks.CAMissingIntermediate,
		checks.CANotACA,
		checks.CertServingExpired,
		checks.CertServingNotYetValid,
	)
	modes = append(modes, diagnosedBy("cert-expiring-soon", checks.CertExpiringSoon, checks.CAExpiringSoon))
	modes = append(modes, diagnosed(
		checks.CertSANMissingServiceHost,
		checks.CertSANMissingDNSName,
		checks.CertNoIPSANOrCNOnly,
		checks.CertWrongEKU,
		checks.CertNameConstraints,
		checks.CertWeakAlgorithm,
		checks.CertUnparseable,
		checks.CertDiffersByReplica,
		checks.CertDiffersBySNI,
		checks.CertFailsPythonStrict,
		checks.CAWeakerTrust,
	)...)
	return append(modes,
		toldAs("ca-kube-root-ca-missing", checks.TokenRotationStalled,
			"Without that ConfigMap a new pod does not start, so nobody is in it to tell. In one that runs already the volume is no longer written, and its token shows it first."),
		outOfScope("ca-bundle-multiple-certs",
			"Two authorities in ca.crt are how a rotation looks while it goes on. The report lists each with its end."),
		outOfScope("ca-file-fresh-process-stale",
			"An application that read ca.crt once keeps the old authority in its memory. That Lifeline, which reads it every round, proves the server by it says that a restart of the application helps."),
	)
}
