package judge

import (
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// aged moves the token's times into the past.
func aged(by time.Duration) func(*checks.Facts) {
	return func(f *checks.Facts) {
		claims := f.Token.Claims
		for _, at := range []*time.Time{&claims.IssuedAt, &claims.NotBefore, &claims.ExpiresAt, &claims.WarnAfter, &f.Token.WrittenAt} {
			if !at.IsZero() {
				*at = at.Add(-by)
			}
		}
	}
}

// lasting gives the token a plain lifetime, counted from its issue.
func lasting(lifetime time.Duration) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.Token.Claims.WarnAfter = time.Time{}
		f.Token.Claims.ExpiresAt = f.Token.Claims.IssuedAt.Add(lifetime)
	}
}

func unauthorizedAnswer(f *checks.Facts) {
	last(f).Response.Status, last(f).Response.Kind, last(f).Response.PriorityLevelUID = 401, "Status", ""
}

// ofSecret makes the token a legacy one.
func ofSecret(f *checks.Facts) {
	claims := f.Token.Claims
	claims.ExpiresAt, claims.WarnAfter, claims.IssuedAt, claims.NotBefore = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	claims.Secret, claims.Pod, claims.PodUID, claims.Node = "web-token-x", "", "", ""
}

// ofNobody is a token as kubectl create token makes it.
func ofNobody(f *checks.Facts) {
	f.Token.Claims.Pod, f.Token.Claims.PodUID, f.Token.Claims.Node = "", "", ""
}

// ofNode binds the token to its node alone.
func ofNode(f *checks.Facts) { f.Token.Claims.Pod, f.Token.Claims.PodUID = "", "" }

func both(changes ...func(*checks.Facts)) func(*checks.Facts) {
	return func(f *checks.Facts) {
		for _, change := range changes {
			change(f)
		}
	}
}

func unread(problem checks.FileProblem) func(*checks.Facts) {
	return func(f *checks.Facts) { f.Token.File.Problem, f.Token.Claims = problem, nil }
}

func TestTokenThatCannotBeUsed(t *testing.T) {
	judgeCases(t, checks.Token, []verdictCase{
		{"of thirty years, a minute old", both(lasting(30*365*24*time.Hour), aged(-9*time.Minute)), want{checks.OK, ""}},
		{"nothing mounted", both(unread(checks.FileMissing), func(f *checks.Facts) { f.Token.Directory.Problem = checks.FileMissing }), want{checks.Fail, checks.TokenNotMountedAutomountFalse}},
		{"another volume in its place", func(f *checks.Facts) {
			f.Token.File.Problem, f.Token.File.Link, f.Token.WrittenAt, f.Token.Claims = checks.FileMissing, "", time.Time{}, nil
			f.Token.Mounts = []checks.Mount{{Root: "/pods/x/volumes/kubernetes.io~empty-dir/data", Point: "/run/secrets/kubernetes.io/serviceaccount"}}
		}, want{checks.Fail, checks.TokenMountShadowed}},
		{"no file", unread(checks.FileMissing), want{checks.Fail, checks.TokenFileMissingInMountedDir}},
		{"no permission", unread(checks.FileForbidden), want{checks.Fail, checks.TokenPermissionDenied}},
		{"a directory", both(unread(checks.FileIrregular), func(f *checks.Facts) { f.Token.File.Mode = "drwxr-xr-x" }), want{checks.Fail, checks.TokenNotAFile}},
		{"a gigabyte", unread(checks.FileTooLarge), want{checks.Fail, checks.TokenTooLarge}},
		{"an I/O error", both(unread(checks.FileUnreadable), func(f *checks.Facts) { f.Token.File.Error = "input/output error" }), want{checks.Fail, checks.TokenUnreadable}},
		{"empty", func(f *checks.Facts) { f.Token.Claims = nil }, want{checks.Fail, checks.TokenEmpty}},
		{"no JWT", both(unauthorizedAnswer, func(f *checks.Facts) { f.Token.Claims, f.Token.DecodeError = nil, "not a JWT" }), want{checks.Fail, checks.TokenMalformed}},
		{"no JWT, and accepted", func(f *checks.Facts) { f.Token.Claims, f.Token.DecodeError = nil, "not a JWT" }, want{checks.Warn, checks.TokenMalformed}},
		{"expired", both(unauthorizedAnswer, lasting(time.Hour), aged(2*time.Hour)), want{checks.Fail, checks.TokenExpired}},
		{"expired by a clock that is wrong, since it is accepted", both(lasting(time.Hour), aged(2*time.Hour)), want{checks.OK, ""}},
		{"expired by a Date that is nonsense", both(unauthorizedAnswer, func(f *checks.Facts) { last(f).Response.Date = noon.AddDate(70, 0, 0) }), want{checks.OK, ""}},
		{"expired within the leeway of the API server", both(lasting(10*time.Minute), aged(30*time.Second)), want{checks.Warn, checks.TokenRotationStalled}},
		{"expired by the pod's clock alone", both(lasting(time.Hour), aged(2*time.Hour), func(f *checks.Facts) {
			last(f).Response.Date = noon.Add(-2 * time.Hour)
		}), want{checks.OK, ""}},
		{"issued in the future", both(unauthorizedAnswer, aged(-time.Hour)), want{checks.Fail, checks.TokenNotYetValidAfterClockJump}},
		{"for another audience, rejected", both(unauthorizedAnswer, func(f *checks.Facts) { f.Token.Claims.Audience = []string{"vault"} }), want{checks.Fail, checks.TokenAudienceMismatch}},
		{"for another audience, accepted", func(f *checks.Facts) { f.Token.Claims.Audience = []string{"api"} }, want{checks.OK, ""}},
		{"of another pod, rejected", both(unauthorizedAnswer, func(f *checks.Facts) { f.Token.Claims.PodUID = "other" }), want{checks.Fail, checks.TokenPodMismatch}},
		{"a Secret's, rejected", both(unauthorizedAnswer, ofSecret), want{checks.Fail, checks.TokenLegacyInvalidated}},
		{"a Secret's, rejected by something in between", both(unauthorizedAnswer, ofSecret, func(f *checks.Facts) { last(f).Response.AuditID = "" }), want{checks.Warn, checks.TokenLegacySecretNoExp}},
		{"a Secret's, sent to nobody", both(unauthorizedAnswer, ofSecret, func(f *checks.Facts) { f.API.ServiceHost.Authenticated = false }), want{checks.Warn, checks.TokenLegacySecretNoExp}},
		{"a Secret's, replaced when it was rejected", both(unauthorizedAnswer, ofSecret, func(f *checks.Facts) { f.Token.ChangedDuringRound = true }), want{checks.Warn, checks.TokenLegacySecretNoExp}},
		{"without end and of no Secret, rejected", both(unauthorizedAnswer, ofSecret, func(f *checks.Facts) { f.Token.Claims.Secret = "" }), want{checks.Warn, checks.TokenLegacySecretNoExp}},
		{"a Secret's that ends, rejected", both(unauthorizedAnswer, func(f *checks.Facts) { f.Token.Claims.Secret = "web-token-x" }), want{checks.OK, ""}},
		{"of a node, rejected", both(unauthorizedAnswer, ofNode), want{checks.Fail, checks.TokenNodeBoundInvalid}},
		{"of a node, accepted", ofNode, want{checks.Warn, checks.TokenMountShadowed}},
		{"of a node and a pod, rejected", unauthorizedAnswer, want{checks.OK, ""}},
		{"of a node, rejected by something in between", both(unauthorizedAnswer, ofNode, func(f *checks.Facts) { last(f).Response.AuditID = "" }), want{checks.Warn, checks.TokenMountShadowed}},
		{"of a node, rejected for its end", both(unauthorizedAnswer, ofNode, lasting(time.Hour), aged(2*time.Hour)), want{checks.Fail, checks.TokenExpired}},
		{"of a node, rejected for its audience", both(unauthorizedAnswer, ofNode, func(f *checks.Facts) { f.Token.Claims.Audience = []string{"vault"} }), want{checks.Fail, checks.TokenAudienceMismatch}},
		{"of another pod, accepted", func(f *checks.Facts) { f.Token.Claims.PodUID = "other" }, want{checks.Warn, checks.TokenPodMismatch}},
	})
}

func TestTokenRotation(t *testing.T) {
	judgeCases(t, checks.Token, []verdictCase{
		{"47 minutes old, before rotation is due", aged(37 * time.Minute), want{checks.OK, ""}},
		{"52 minutes old, due and within the slack", aged(42 * time.Minute), want{checks.OK, ""}},
		{"54 minutes old, past the slack", aged(44 * time.Minute), want{checks.Warn, checks.TokenRotationStalled}},
		{"past the time it should have expired", aged(2 * time.Hour), want{checks.Warn, checks.TokenPastWarnAfter}},
		{"ten minutes of life, due", both(lasting(10*time.Minute), aged(-time.Minute)), want{checks.OK, ""}},
		{"ten minutes of life, stalled before it expires", both(lasting(10*time.Minute), aged(-25*time.Second)), want{checks.Warn, checks.TokenRotationStalled}},
		{"a week of life, a day old", both(lasting(7*24*time.Hour), aged(23*time.Hour+45*time.Minute)), want{checks.OK, ""}},
		{"a week of life, past a day and the slack", both(lasting(7*24*time.Hour), aged(24*time.Hour)), want{checks.Warn, checks.TokenRotationStalled}},
		{"of no pod, as of a Secret that somebody filled", both(ofNobody, lasting(time.Hour)), want{checks.Warn, checks.TokenMountShadowed}},
		{"of no pod, and due", both(ofNobody, lasting(time.Hour), aged(45*time.Minute)), want{checks.Warn, checks.TokenMountShadowed}},
		{"of another pod, and due", both(func(f *checks.Facts) { f.Token.Claims.PodUID = "other" }, aged(45*time.Minute)), want{checks.Warn, checks.TokenPodMismatch}},
		{"of a pod without a UID of its own, and due", both(func(f *checks.Facts) { f.Token.PodUIDFromMounts = "" }, aged(45*time.Minute)), want{checks.Warn, checks.TokenRotationStalled}},
	})
	for name, change := range map[string]func(*checks.Facts){"no pod": ofNobody, "another pod": func(f *checks.Facts) { f.Token.Claims.PodUID = "other" }} {
		facts := healthy(t)
		both(change, aged(45*time.Minute))(facts)
		for _, finding := range Judge(facts, nil).Diagnosis {
			if finding.Reason == checks.TokenRotationStalled {
				t.Errorf("a token of %s, which kubelet does not replace, is told as one that it has not: %q", name, finding.Evidence)
			}
		}
	}
}

func TestKubeletIsGivenTimeAfterAStepOfTheClock(t *testing.T) {
	jumped := func(step, ago time.Duration) func(*checks.Facts) {
		return both(aged(2*time.Hour), func(f *checks.Facts) {
			f.History = &checks.History{Rounds: 9, ClockJumps: []checks.ClockJump{{Time: noon.Add(-ago), Seconds: step.Seconds()}}}
		})
	}
	judgeCases(t, checks.Token, []verdictCase{
		{"of two hours, a minute ago", jumped(2*time.Hour, time.Minute), want{checks.OK, ""}},
		{"of two hours, six minutes ago", jumped(2*time.Hour, 6*time.Minute), want{checks.Warn, checks.TokenPastWarnAfter}},
		{"of ten minutes, which the token has not grown old by", jumped(10*time.Minute, time.Minute), want{checks.Warn, checks.TokenPastWarnAfter}},
		{"of two hours back", jumped(-2*time.Hour, time.Minute), want{checks.Warn, checks.TokenPastWarnAfter}},
	})
}

func TestATokenThatWasAcceptedIsRejectedForWhatHasChangedSince(t *testing.T) {
	const told = "It accepted this very token at"
	forAnother := func(f *checks.Facts) { f.Token.Claims.Audience = []string{"vault"} }
	acceptedAt := func(at time.Time) func(*checks.Facts) {
		return func(f *checks.Facts) { f.History = &checks.History{Rounds: 9, TokenAcceptedAt: at} }
	}
	for _, test := range []struct {
		name   string
		change func(*checks.Facts)
		want   checks.Reason
		told   bool
	}{
		{"accepted a minute ago", acceptedAt(noon.Add(-time.Minute)), checks.HTTP401Unattributed, true},
		{"accepted a minute ago, for an audience of its own", both(forAnother, acceptedAt(noon.Add(-time.Minute))), checks.HTTP401Unattributed, true},
		{"never accepted, for an audience of its own", both(forAnother, acceptedAt(time.Time{})), checks.TokenAudienceMismatch, false},
		{"one before it was accepted", acceptedAt(noon.Add(-time.Hour)), checks.HTTP401Unattributed, false},
		{"one before it may have been accepted, as it was written", acceptedAt(noon.Add(-10 * time.Minute)), checks.HTTP401Unattributed, false},
		{"accepted a minute ago, as a file that nobody dates", both(acceptedAt(noon.Add(-time.Minute)), func(f *checks.Facts) { f.Token.WrittenAt = time.Time{} }), checks.HTTP401Unattributed, false},
	} {
		facts := healthy(t)
		both(unauthorizedAnswer, test.change)(facts)
		cause := Judge(facts, nil).Diagnosis[0]
		if got := strings.Contains(strings.Join(cause.Evidence, " "), told); cause.Reason != test.want || got != test.told {
			t.Errorf("%s: got %s, and that it was accepted is told: %t; want %s, %t", test.name, cause.Reason, got, test.want, test.told)
		}
	}
}

func TestThePodIsTheOneThatKubeletMountedFor(t *testing.T) {
	named := func(uid string) func(*checks.Facts) { return func(f *checks.Facts) { f.DownwardAPI.UID = uid } }
	unmounted := func(f *checks.Facts) { f.Token.PodUIDFromMounts = "" }
	judgeCases(t, checks.Token, []verdictCase{
		{"and a variable names another", named("other"), want{checks.OK, ""}},
		{"and a variable names that of a token which is another's", both(named("other"), func(f *checks.Facts) { f.Token.Claims.PodUID = "other" }), want{checks.Warn, checks.TokenPodMismatch}},
		{"unless only a variable tells", both(unmounted, named("other")), want{checks.Warn, checks.TokenPodMismatch}},
		{"unless only a variable tells, which the token agrees with", both(unmounted, named(podUID)), want{checks.OK, ""}},
	})
	facts := healthy(t)
	both(unmounted, named("other"))(facts)
	if got := Judge(facts, nil).Diagnosis[0].Certainty; got != checks.Likely {
		t.Errorf("by a variable alone the pod of the token is another's: got %s, want %s", got, checks.Likely)
	}
}

func bySubPath(f *checks.Facts) {
	f.Token.File.Link, f.Token.WrittenAt = "", time.Time{}
	f.Token.Mounts = []checks.Mount{{Root: "/pods/x/volume-subpaths/token", Point: "/run/secrets/kubernetes.io/serviceaccount/token"}}
}

func TestTheDirectoryOfATokenMayBeMountedBySubPath(t *testing.T) {
	frozen := func(f *checks.Facts) {
		f.Token.File.Link, f.Token.WrittenAt = "", time.Time{}
		f.Token.Mounts = []checks.Mount{{Root: "/..2026_11_23_11_50_00.123456789/sa", Point: "/run/secrets/kubernetes.io/serviceaccount"}}
	}
	emptied := func(f *checks.Facts) {
		unread(checks.FileMissing)(f)
		f.Token.File.Link, f.Token.WrittenAt = "", time.Time{}
		f.Token.Mounts = []checks.Mount{{Root: "/", Point: "/run/secrets/kubernetes.io/serviceaccount"}}
	}
	judgeCases(t, checks.Token, []verdictCase{
		{"while it has its files", frozen, want{checks.Warn, checks.TokenSubPathFrozen}},
		{"and long after a new token was due", both(frozen, aged(2*time.Hour)), want{checks.Warn, checks.TokenSubPathFrozen}},
		{"when kubelet has taken its files away", both(unread(checks.FileMissing), frozen), want{checks.Fail, checks.TokenSubPathFrozen}},
		{"or be a volume that is empty", emptied, want{checks.Fail, checks.TokenMountShadowed}},
	})
	facts := healthy(t)
	emptied(facts)
	for _, finding := range Judge(facts, nil).Diagnosis {
		if finding.Reason == checks.TokenMountShadowed && finding.Certainty != checks.Likely {
			t.Errorf("a volume that may be kubelet's own is told as another with the certainty %s, want %s", finding.Certainty, checks.Likely)
		}
	}
}

func TestTokenThatWorksAndIsNotAsKubeletMakesIt(t *testing.T) {
	judgeCases(t, checks.Token, []verdictCase{
		{"no expiry", ofSecret, want{checks.Warn, checks.TokenLegacySecretNoExp}},
		{"white space", func(f *checks.Facts) { f.Token.SurroundingSpace = true }, want{checks.Warn, checks.TokenTrailingNewline}},
		{"mounted by subPath", bySubPath, want{checks.Warn, checks.TokenSubPathFrozen}},
		{"mounted by subPath two hours ago", both(bySubPath, aged(2*time.Hour)), want{checks.Warn, checks.TokenSubPathFrozen}},
		{"a plain file of two hours ago", both(func(f *checks.Facts) { f.Token.File.Link, f.Token.WrittenAt = "", time.Time{} }, aged(2*time.Hour)), want{checks.Warn, checks.TokenMountShadowed}},
		{"a plain file", func(f *checks.Facts) { f.Token.File.Link, f.Token.WrittenAt = "", time.Time{} }, want{checks.Warn, checks.TokenMountShadowed}},
		{"another namespace in its file", func(f *checks.Facts) { f.Environment.Namespace = "other" }, want{checks.Warn, checks.TokenNamespaceFileMismatch}},
	})
}
