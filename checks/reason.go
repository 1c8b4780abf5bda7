package checks

// Reason is a stable kebab-case code that names why a check is not clean.
// Package catalogue has the entry of each. Codes are never renamed: dashboards
// and alerts select on them.
type Reason string

// Reasons of the environment check.
const (
	EnvServiceVarsMissing         Reason = "env-service-vars-missing"
	EnvServiceHostInvalid         Reason = "env-service-host-invalid"
	EnvServiceHostUnresolvable    Reason = "env-service-host-unresolvable"
	EnvServicePortOverridden      Reason = "env-service-port-overridden"
	EnvServicePortInvalid         Reason = "env-service-port-invalid"
	EnvServiceHostOverridden      Reason = "env-service-host-overridden"
	EnvServiceHostStale           Reason = "env-service-host-stale"
	EnvHTTPProxyInterceptsAPI     Reason = "env-http-proxy-intercepts-api"
	EnvNamespaceFileMissing       Reason = "env-namespace-file-missing"
	EnvNamespaceFileUnreadable    Reason = "env-namespace-file-unreadable"
	EnvNamespaceFileNotANamespace Reason = "env-namespace-file-not-a-namespace"
)

// Reasons of the dns check.
const (
	DNSResolvConfMissingOrEmpty   Reason = "dns-resolvconf-missing-or-empty"
	DNSResolvConfUnreadable       Reason = "dns-resolvconf-unreadable"
	DNSPolicyDefault              Reason = "dns-dnspolicy-default"
	DNSHostNetwork                Reason = "dns-hostnetwork-without-clusterfirstwithhostnet"
	DNSPolicyNoneIncomplete       Reason = "dns-policy-none-incomplete"
	DNSTimeout                    Reason = "dns-timeout"
	DNSReplyFromUnexpectedSource  Reason = "dns-reply-from-unexpected-source"
	DNSEgressPolicyBlocks53       Reason = "dns-egress-policy-blocks-53"
	DNSPolicyMissesNodeLocal      Reason = "dns-policy-misses-nodelocal-or-clouddns"
	DNSNodeLocalDown              Reason = "dns-nodelocal-down"
	DNSServiceNoEndpoints         Reason = "dns-service-no-endpoints"
	DNSUnreachable                Reason = "dns-unreachable"
	DNSServfailCoreDNSUnsynced    Reason = "dns-servfail-coredns-unsynced"
	DNSServfailUpstream           Reason = "dns-servfail-upstream"
	DNSRefusedNoZone              Reason = "dns-refused-no-zone"
	DNSServerMisbehaving          Reason = "dns-server-misbehaving"
	DNSNXDomainWrongClusterDomain Reason = "dns-nxdomain-wrong-cluster-domain"
	DNSNXDomainForeignResolver    Reason = "dns-nxdomain-foreign-resolver"
	DNSNXDomainServiceHidden      Reason = "dns-nxdomain-service-hidden"
	DNSMixedNameservers           Reason = "dns-mixed-nameservers"
	DNSNoData                     Reason = "dns-nodata"
	DNSReplyInvalid               Reason = "dns-reply-invalid"
	DNSCNAMELoop                  Reason = "dns-cname-loop"
	DNSTCPBlockedUDPOK            Reason = "dns-tcp-blocked-udp-ok"
	DNSUDPBlockedTCPOK            Reason = "dns-udp-blocked-tcp-ok"
	DNSAnswerDisagreesWithEnv     Reason = "dns-answer-disagrees-with-env"
	DNSSearchWildcardHijack       Reason = "dns-search-wildcard-hijack"
	DNSHostsFileOverride          Reason = "dns-hosts-file-override"
	DNSNameserverFailing          Reason = "dns-nameserver-failing"
	DNSAAAABroken                 Reason = "dns-aaaa-broken"
	DNSSearchListOverLimit        Reason = "dns-search-list-over-limit"
	DNSSlow                       Reason = "dns-slow"
	DNSOneBackendBad              Reason = "dns-one-backend-bad"
	DNSConntrackRace              Reason = "dns-conntrack-race-5s"
)

// Reasons of the token check.
const (
	TokenNotMountedAutomountFalse  Reason = "token-not-mounted-automount-false"
	TokenFileMissingInMountedDir   Reason = "token-file-missing-in-mounted-dir"
	TokenMountShadowed             Reason = "token-mount-shadowed"
	TokenPermissionDenied          Reason = "token-permission-denied"
	TokenNotAFile                  Reason = "token-not-a-file"
	TokenTooLarge                  Reason = "token-too-large"
	TokenUnreadable                Reason = "token-unreadable"
	TokenEmpty                     Reason = "token-empty"
	TokenMalformed                 Reason = "token-malformed"
	TokenTrailingNewline           Reason = "token-trailing-newline"
	TokenExpired                   Reason = "token-expired"
	TokenPastWarnAfter             Reason = "token-past-warnafter"
	TokenRotationStalled           Reason = "token-rotation-stalled"
	TokenSubPathFrozen             Reason = "token-subpath-frozen"
	TokenPodMismatch               Reason = "token-pod-mismatch"
	TokenLegacySecretNoExp         Reason = "token-legacy-secret-no-exp"
	TokenNotYetValidAfterClockJump Reason = "token-not-yet-valid-after-clock-jump"
	TokenNamespaceFileMismatch     Reason = "token-namespace-file-mismatch"
	TokenAudienceMismatch          Reason = "token-audience-mismatch"
	TokenLegacyInvalidated         Reason = "token-legacy-invalidated"
	TokenNodeBoundInvalid          Reason = "token-node-bound-invalid"
)

// Reasons of the ca check.
const (
	CAFileMissing           Reason = "ca-file-missing"
	CAFileUnreadable        Reason = "ca-file-unreadable"
	CAFileEmptyOrNotPEM     Reason = "ca-file-empty-or-not-pem"
	CAFileTooLarge          Reason = "ca-file-too-large"
	CABundlePartiallyParsed Reason = "ca-bundle-partially-parsed"
	CAExpired               Reason = "ca-expired"
	CANotYetValid           Reason = "ca-not-yet-valid"
	CAExpiringSoon          Reason = "ca-expiring-soon"
	CANotACA                Reason = "ca-not-a-ca"
	CAWeakerTrust           Reason = "ca-weaker-trust-than-expected"
)

// Reasons of the tls check.
const (
	TLSPlaintextOrWrongPort    Reason = "tls-plaintext-or-wrong-port"
	TLSEOFOrReset              Reason = "tls-eof-or-reset"
	TLSHandshakeTimeout        Reason = "tls-handshake-timeout"
	TLSHandshakeFailed         Reason = "tls-handshake-failed"
	TLSTimeoutServerOverloaded Reason = "tls-timeout-server-overloaded"
	TLSTimeoutLargeClientHello Reason = "tls-timeout-large-clienthello"
	TLSTimeoutMTUBlackHole     Reason = "tls-timeout-mtu-blackhole"
	CARotatedSameName          Reason = "ca-rotated-same-name"
	CAMITMOrWrongEndpoint      Reason = "ca-mitm-or-wrong-endpoint"
	CAMissingIntermediate      Reason = "ca-missing-intermediate"
	CABundleForeign            Reason = "ca-bundle-foreign"
	CertServingExpired         Reason = "cert-serving-expired"
	CertServingNotYetValid     Reason = "cert-serving-not-yet-valid"
	CertExpiringSoon           Reason = "cert-expiring-soon"
	CertSANMissingServiceHost  Reason = "cert-san-missing-service-host"
	CertSANMissingDNSName      Reason = "cert-san-missing-dns-name"
	CertNoIPSANOrCNOnly        Reason = "cert-no-ip-san-or-cn-only"
	CertWrongEKU               Reason = "cert-wrong-eku"
	CertNameConstraints        Reason = "cert-name-constraints"
	CertWeakAlgorithm          Reason = "cert-weak-algorithm"
	CertUnparseable            Reason = "cert-unparseable-or-critical-extension"
	CertChainInvalid           Reason = "cert-chain-invalid"
	CertDiffersByReplica       Reason = "cert-differs-by-replica"
	CertDiffersBySNI           Reason = "cert-differs-by-sni"
	CertFailsPythonStrict      Reason = "cert-fails-python-strict"
)

// Reasons of the api check.
const (
	TCPRefused                       Reason = "tcp-refused"
	TCPTimeout                       Reason = "tcp-timeout"
	TCPIntermittentOneEndpoint       Reason = "tcp-intermittent-one-endpoint"
	TCPTimeoutKubeProxyNotProgrammed Reason = "tcp-timeout-kube-proxy-not-programmed"
	TCPTimeoutNetworkPolicy          Reason = "tcp-timeout-networkpolicy"
	TCPTimeoutStartupRace            Reason = "tcp-timeout-startup-race"
	TCPRefusedSidecarNotReady        Reason = "tcp-refused-sidecar-not-ready"
	TCPHostUnreachable               Reason = "tcp-host-unreachable-firewall"
	TCPNetworkUnreachable            Reason = "tcp-network-unreachable"
	TCPReset                         Reason = "tcp-reset"
	TCPFailed                        Reason = "tcp-failed"
	HTTP2DeadConnection              Reason = "http2-dead-connection"
	HTTPResponseTimeout              Reason = "http-response-timeout"
	HTTPResponseCut                  Reason = "http-response-cut"
	HTTPResponseTooLarge             Reason = "http-response-too-large"
	HTTPMalformed                    Reason = "http-malformed"
	HTTP401Unattributed              Reason = "http-401-unattributed"
	HTTP401NotFromKubernetes         Reason = "http-401-not-from-kubernetes"
	HTTP403Anonymous                 Reason = "http-403-anonymous"
	HTTP403DiscoveryRBACRemoved      Reason = "http-403-discovery-rbac-removed"
	HTTP403DuringStartup             Reason = "http-403-during-startup"
	HTTP403NotFromKubernetes         Reason = "http-403-not-from-kubernetes"
	HTTP404OnAPI                     Reason = "http-404-on-api"
	HTTP429APF                       Reason = "http-429-apf"
	HTTP429MaxInflight               Reason = "http-429-max-inflight"
	HTTP429ShuttingDown              Reason = "http-429-shutting-down"
	HTTP429NotFromKubernetes         Reason = "http-429-not-from-kubernetes"
	HTTP500Internal                  Reason = "http-500-internal"
	HTTP503Starting                  Reason = "http-503-starting"
	HTTP504Timeout                   Reason = "http-504-timeout"
	HTTP502503LB                     Reason = "http-502-503-lb"
	HTTPRedirect                     Reason = "http-redirect"
	HTTP200NotKubernetes             Reason = "http-200-not-kubernetes"
	HTTPUnexpectedStatus             Reason = "http-unexpected-status"
	HTTPWarningHeaders               Reason = "http-warning-headers"
	HTTPLatencyHigh                  Reason = "http-latency-high"
	HTTPPassedOnRetry                Reason = "http-passed-on-retry"
	TokenLocalClockSkew              Reason = "token-local-clock-skew"
	TokenRejectedWhileRotating       Reason = "token-rejected-while-rotating"
	TokenIntermittentByAPIServer     Reason = "token-intermittent-by-apiserver"
	APIByNameFailing                 Reason = "api-by-name-failing"
	APIServerNotReady                Reason = "api-server-not-ready"
)

// Reasons of the kubectl-proxy check.
const (
	KProxyDown               Reason = "kproxy-down"
	KProxyTimeout            Reason = "kproxy-timeout"
	KProxyHostFilter         Reason = "kproxy-host-filter"
	KProxyIPv6HostQuirk      Reason = "kproxy-ipv6-host-quirk"
	KProxyPathOrMethodFilter Reason = "kproxy-path-or-method-filter"
	KProxyAPIPrefix          Reason = "kproxy-api-prefix"
	KProxyLocalhost8080      Reason = "kproxy-localhost-8080"
	KProxyUpstreamError      Reason = "kproxy-upstream-error"
	KProxyUpstreamStatus     Reason = "kproxy-upstream-status"
	KProxyCredentialRejected Reason = "kproxy-credential-rejected"
	KProxyForbidden          Reason = "kproxy-forbidden"
	KProxyNotAKubectlProxy   Reason = "kproxy-not-a-kubectl-proxy"
)

// Reasons that any check can have.
const (
	// AgentStarved is given where the agent had too little of a processor to
	// tell.
	AgentStarved Reason = "agent-starved"
	// AgentOutOfFiles is given where the agent may open no more files.
	AgentOutOfFiles Reason = "agent-out-of-files"
	// ClockJumped is given before what the pod's clock, put forward or back,
	// makes look wrong.
	ClockJumped Reason = "clock-jumped"
	// CheckPanicked is given when the check's own code failed.
	CheckPanicked Reason = "check-panicked"
	// NetworkLatencyHigh is given where it is the way that takes long and nobody on it.
	NetworkLatencyHigh Reason = "network-latency-high"
	// NetworkPacketLoss is given where packets of several links get lost.
	NetworkPacketLoss Reason = "network-packet-loss"
	// WaitsFor is given to a skipped check, whose ground is gone.
	WaitsFor Reason = "waits-for"
)
