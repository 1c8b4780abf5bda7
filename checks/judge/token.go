package judge

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// rotationSlack is how much later than due kubelet may replace a token: it
// looks once a minute or so and each pod at another moment.
const rotationSlack = 5 * time.Minute

func judgeToken(facts *checks.Facts) verdict {
	token := facts.Token
	details := &checks.TokenDetails{TokenFacts: *token}
	v := verdict{details: details, seconds: token.Seconds}
	if unusable, found := unusableToken(token); found {
		if unusable.Reason == checks.TokenMalformed && accepted(facts) {
			// It is another credential, as --token-auth-file or a webhook knows them.
			unusable = unusable.unless(true)
			unusable.Message += " The API server accepts it all the same, so it is a credential of another kind, which kubelet does not renew."
		}
		v.problems = []problem{unusable}
		return v
	}
	claims := token.Claims
	now := serverTime(facts)
	details.RotationDueAt = claims.RotationDue()
	details.RotationStalledAt = rotationStalled(claims)
	if !claims.IssuedAt.IsZero() {
		details.AgeSeconds = now.Sub(claims.IssuedAt).Seconds()
	}
	if !accepted(facts) {
		v.problems = append(v.problems, validity(facts, now)...)
	}
	v.problems = append(v.problems, endless(facts)...)
	v.problems = append(v.problems, audience(facts)...)
	if !isFrozen(token) && !isPlainFile(token) && isBoundToPod(facts) {
		v.problems = append(v.problems, rotation(facts, details, now)...)
	}
	v.problems = append(v.problems, owner(facts)...)
	if !slices.ContainsFunc(v.problems, fails) {
		v.problems = append(v.problems, nodeBound(facts)...)
	}
	v.problems = append(v.problems, layout(token)...)
	v.well = freshness(details, now)
	return v
}

// unusableToken judges a file that holds no service-account token at all.
func unusableToken(token *checks.TokenFacts) (problem, bool) {
	const expected = "the token that kubelet projects"
	path, file := token.File.Path, token.File
	switch {
	case token.Directory.Problem == checks.FileMissing:
		return failing(checks.TokenNotMountedAutomountFalse,
			fmt.Sprintf("The directory %s does not exist: no service account is mounted in this container.", token.Directory.Path), expected, "no directory"), true
	case file.Problem == checks.FileMissing && isFrozenDirectory(token):
		return failing(checks.TokenSubPathFrozen,
			fmt.Sprintf("%s is mounted by subPath, as a directory of a volume as it was when this container started, and %s is not in it: kubelet takes its files away as it writes the volume anew.", token.Directory.Path, filepath.Base(path)),
			"the whole volume to be mounted", "a directory that was replaced"), true
	case file.Problem == checks.FileMissing && token.WrittenAt.IsZero() && len(token.Mounts) > 0:
		shadowed := failing(checks.TokenMountShadowed,
			fmt.Sprintf("Something else is mounted at %s: it has neither %s nor the link ..data of a volume that kubelet fills.", token.Directory.Path, filepath.Base(path)), expected, "another volume")
		if !slices.ContainsFunc(token.Mounts, func(mount checks.Mount) bool { return mount.Root != "/" }) {
			// kubelet's own volume is the root of a file system as well, and may have been emptied.
			shadowed = shadowed.likely()
		}
		return shadowed, true
	case file.Problem == checks.FileMissing:
		return failing(checks.TokenFileMissingInMountedDir,
			fmt.Sprintf("The directory %s is there, and %s is not in it.", token.Directory.Path, filepath.Base(path)), expected, "no file"), true
	case file.Problem == checks.FileForbidden:
		return failing(checks.TokenPermissionDenied,
			fmt.Sprintf("%s may not be read by this user: %s.", path, fileTrouble(file)), "a readable token", fileTrouble(file)), true
	case file.Problem == checks.FileIrregular:
		return failing(checks.TokenNotAFile,
			fmt.Sprintf("%s cannot be a token: %s.", path, fileTrouble(file)), "a regular file", file.Mode), true
	case file.Problem == checks.FileTooLarge:
		return failing(checks.TokenTooLarge,
			fmt.Sprintf("%s cannot be a token: %s.", path, fileTrouble(file)), "1 to 2 KiB", fmt.Sprintf("%d bytes", file.Size)), true
	case file.Problem != "":
		return failing(checks.TokenUnreadable,
			fmt.Sprintf("%s cannot be read: %s.", path, fileTrouble(file)), "a readable token", file.Error), true
	case token.DecodeError != "":
		return failing(checks.TokenMalformed,
			fmt.Sprintf("The %d bytes of %s are %s.", file.Size, path, token.DecodeError), "a JWT", fmt.Sprintf("%d bytes that are none", file.Size)), true
	case token.Claims == nil:
		return failing(checks.TokenEmpty,
			fmt.Sprintf("%s holds no token: its size is %d bytes.", path, file.Size), expected, "nothing but white space"), true
	default:
		return problem{}, false
	}
}

// validity judges the times by which the API server refuses a token.
func validity(facts *checks.Facts, now time.Time) []problem {
	claims := facts.Token.Claims
	start := claims.NotBefore
	if claims.IssuedAt.After(start) {
		start = claims.IssuedAt
	}
	switch {
	case !claims.ExpiresAt.IsZero() && now.After(claims.ExpiresAt.Add(leeway)):
		return []problem{failing(checks.TokenExpired,
			fmt.Sprintf("The token expired %s ago, at %s.", span(now.Sub(claims.ExpiresAt)), moment(claims.ExpiresAt)), "an expiry in the future", moment(claims.ExpiresAt)).byClock(facts)}
	case now.Before(start.Add(-leeway)):
		return []problem{failing(checks.TokenNotYetValidAfterClockJump,
			fmt.Sprintf("The token is valid from %s on, which is %s ahead.", moment(start), span(start.Sub(now))), "an issue time in the past", moment(start)).likely()}
	default:
		return nil
	}
}

// endless judges a token without an expiry. One that names a Secret is looked up
// in it at each request (pkg/serviceaccount/legacy.go of kubernetes), so it goes
// with the Secret, or when that is labelled as invalid for having lain unused.
func endless(facts *checks.Facts) []problem {
	claims := facts.Token.Claims
	if !claims.ExpiresAt.IsZero() {
		return nil
	}
	if claims.Secret != "" && rejected(facts) {
		return []problem{failing(checks.TokenLegacyInvalidated,
			fmt.Sprintf("The API server rejects the token, which is the legacy one of the Secret %q and never expires.", cut(claims.Secret)), "the token to be accepted", "status 401").likely()}
	}
	whose := "it names no Secret that it is of"
	if claims.Secret != "" {
		whose = fmt.Sprintf("it is the legacy one of the Secret %q and is revoked only by deleting that", claims.Secret)
	}
	return []problem{warning(checks.TokenLegacySecretNoExp,
		fmt.Sprintf("The token never expires: %s.", whose), "a token that kubelet rotates", "no expiry")}
}

// accepted tells whether the API server took the token, which proves that it is
// valid by the clock that counts.
func accepted(facts *checks.Facts) bool {
	if facts.API == nil || !facts.API.HeldUntil.IsZero() {
		return false
	}
	response := facts.API.ServiceHost.Last().Response
	return response != nil && response.Status == 200 && facts.API.ServiceHost.Authenticated && isAPIVersions(response)
}

// acceptedBefore is when the API server last took the very token that there is now: an
// earlier round sent it since kubelet wrote it, which it tells to the second. It is zero
// where none did, or where that is not known.
func acceptedBefore(facts *checks.Facts) time.Time {
	if facts.History == nil || facts.Token == nil || facts.Token.WrittenAt.IsZero() {
		return time.Time{}
	}
	at := facts.History.TokenAcceptedAt
	if at.Before(facts.Token.WrittenAt.Add(time.Second)) {
		return time.Time{}
	}
	return at
}

// audience judges a token for somebody else. The API server's audience is by
// default its issuer, and only its answer proves that it wants no other.
func audience(facts *checks.Facts) []problem {
	claims := facts.Token.Claims
	if len(claims.Audience) == 0 || slices.Contains(claims.Audience, claims.Issuer) || !rejected(facts) || !acceptedBefore(facts).IsZero() {
		return nil
	}
	return []problem{failing(checks.TokenAudienceMismatch,
		fmt.Sprintf("The token is meant for %s and the API server rejected it.", enumerate(claims.Audience)), "the audience "+claims.Issuer, enumerate(claims.Audience)).likely()}
}

// rejected tells whether the API server answered the token with a 401, and not
// one that has been replaced since.
func rejected(facts *checks.Facts) bool {
	if facts.API == nil || facts.Token.ChangedDuringRound {
		return false
	}
	response := facts.API.ServiceHost.Last().Response
	return response != nil && response.Status == 401 && fromKubernetes(response) && facts.API.ServiceHost.Authenticated
}

// nodeBound judges a token that is bound to a node alone. The API server wants
// that node to exist with that UID (pkg/serviceaccount/claims.go of kubernetes);
// where the token is bound to a pod it does not look.
func nodeBound(facts *checks.Facts) []problem {
	claims := facts.Token.Claims
	if claims.Node == "" || claims.Pod != "" || claims.PodUID != "" || !rejected(facts) {
		return nil
	}
	return []problem{failing(checks.TokenNodeBoundInvalid,
		fmt.Sprintf("The API server rejects the token, which is bound to the node %s (UID %s) and to no pod.", cut(claims.Node), first(cut(claims.NodeUID), "unknown")), "the token to be accepted", "status 401").likely()}
}

// rotationStalled is when a token that is still there proves that kubelet does
// not replace it. The slack shrinks with the lifetime, so that a short-lived
// token is told of before it expires.
func rotationStalled(claims *checks.TokenClaims) time.Time {
	due := claims.RotationDue()
	if due.IsZero() {
		return time.Time{}
	}
	lifetime := claims.RequestedEnd().Sub(claims.IssuedAt)
	return due.Add(min(rotationSlack, lifetime/100*15))
}

// rotation judges a token that kubelet can replace.
func rotation(facts *checks.Facts, token *checks.TokenDetails, now time.Time) []problem {
	claims := token.Claims
	if token.RotationDueAt.IsZero() || !now.After(token.RotationStalledAt) || now.Before(token.RotationDueAt) || now.After(claims.ExpiresAt.Add(leeway)) {
		return nil
	}
	if hadNoTime(facts, now, token.RotationStalledAt) {
		return nil
	}
	expected := fmt.Sprintf("a new token by %s", moment(token.RotationDueAt))
	found := "a token issued " + span(now.Sub(claims.IssuedAt)) + " ago"
	written := ""
	if !token.WrittenAt.IsZero() {
		written = fmt.Sprintf(" The volume was last written at %s.", moment(token.WrittenAt))
	}
	if !claims.WarnAfter.IsZero() && now.After(claims.WarnAfter) {
		return []problem{warning(checks.TokenPastWarnAfter,
			fmt.Sprintf("kubelet has not replaced the token, which should have been gone since %s; the API server still accepts it until %s.%s", moment(claims.WarnAfter), moment(claims.ExpiresAt), written), expected, found).byClock(facts)}
	}
	return []problem{warning(checks.TokenRotationStalled,
		fmt.Sprintf("kubelet should have replaced the token %s ago and has not; it was issued at %s and expires at %s.%s",
			span(now.Sub(token.RotationDueAt)), moment(claims.IssuedAt), moment(claims.ExpiresAt), written), expected, found).byClock(facts)}
}

// hadNoTime tells that kubelet has had no time to do what was due at a moment, since the
// clock went there in one step: it was put forward, or the machine was suspended.
func hadNoTime(facts *checks.Facts, now, due time.Time) bool {
	return facts.History != nil && slices.ContainsFunc(facts.History.ClockJumps, func(jump checks.ClockJump) bool {
		step := time.Duration(jump.Seconds * float64(time.Second))
		return step > 0 && facts.Time.Sub(jump.Time) < rotationSlack && !now.Add(-step).After(due)
	})
}

// owner compares whose token it is with whose pod this is.
func owner(facts *checks.Facts) (problems []problem) {
	claims := facts.Token.Claims
	own := ownUID(facts)
	if own != "" && claims.PodUID != "" && own != claims.PodUID {
		mismatch := failing(checks.TokenPodMismatch,
			fmt.Sprintf("The token was issued to the pod %s (UID %s), and this is the pod with UID %s.", first(claims.Pod, "without a name"), claims.PodUID, own), "UID "+own, "UID "+claims.PodUID).unless(!rejected(facts))
		if facts.Token.PodUIDFromMounts == "" {
			// A variable says what somebody wrote into the manifest.
			mismatch = mismatch.likely()
		}
		problems = append(problems, mismatch)
	}
	if facts.Environment == nil {
		return problems
	}
	if namespace := facts.Environment.Namespace; namespace != "" && claims.Namespace != "" && namespace != claims.Namespace {
		problems = append(problems, warning(checks.TokenNamespaceFileMismatch,
			fmt.Sprintf("The namespace file says %q, and the token is of the namespace %q.", cut(namespace), claims.Namespace), claims.Namespace, cut(namespace)))
	}
	return problems
}

// ownUID is that of this pod: by the path that kubelet mounts a file from, else by the
// variable that the downward API is to fill. It is empty where neither tells.
func ownUID(facts *checks.Facts) string {
	return first(facts.Token.PodUIDFromMounts, facts.DownwardAPI.UID)
}

// layout judges how the token came to be where it is: kubelet projects a link
// to ..data/token, which it swaps at once.
func layout(token *checks.TokenFacts) (problems []problem) {
	if token.SurroundingSpace {
		problems = append(problems, warning(checks.TokenTrailingNewline,
			"White space stands before or after the token, which kubelet never writes; clients that do not trim it send a broken header.", "the token alone", "white space around it"))
	}
	switch {
	case isFrozenDirectory(token):
		problems = append(problems, warning(checks.TokenSubPathFrozen,
			fmt.Sprintf("%s is mounted by subPath, as a directory of a volume as it was when this container started: kubelet writes the next token elsewhere and takes these files away.", token.Directory.Path),
			"the whole volume to be mounted", "a mount of a directory in it"))
	case isFrozen(token):
		problems = append(problems, warning(checks.TokenSubPathFrozen,
			fmt.Sprintf("%s is mounted by itself (subPath), so this container never sees a rotated token.", token.File.Path), "the whole volume to be mounted", "a mount of the file"))
	case isPlainFile(token):
		problems = append(problems, warning(checks.TokenMountShadowed,
			fmt.Sprintf("%s is a plain file and not the link into ..data that kubelet makes, so nobody rotates it.", token.File.Path), "a projected volume", "a plain file").likely())
	case token.Claims.PodUID == "" && !token.Claims.ExpiresAt.IsZero():
		problems = append(problems, warning(checks.TokenMountShadowed,
			fmt.Sprintf("The token names no pod, as each one does that kubelet asks for: somebody put it there, as in a Secret, and kubelet does not replace it. It expires at %s.", moment(token.Claims.ExpiresAt)),
			"a token that is bound to this pod", "one that is bound to none").likely())
	}
	return problems
}

// isBoundToPod tells a token as kubelet asks for it and replaces it (pkg/kubelet/token and
// pkg/volume/projected of kubernetes): it is bound to the pod. One that was asked for
// otherwise, or for another pod, may lie in a volume that kubelet fills, too.
func isBoundToPod(facts *checks.Facts) bool {
	bound, own := facts.Token.Claims.PodUID, ownUID(facts)
	return bound != "" && (own == "" || own == bound)
}

func isFrozen(token *checks.TokenFacts) bool {
	return isFrozenDirectory(token) || slices.ContainsFunc(token.Mounts, func(mount checks.Mount) bool { return isTokenMount(mount, token) })
}

// isFrozenDirectory tells a directory that kubelet writes once: for each writing of a
// volume it makes another, named ..TIME.NUMBER (pkg/volume/util/atomic_writer.go), and
// removes the one before. A subPath leads into the one of the container's start.
func isFrozenDirectory(token *checks.TokenFacts) bool {
	return slices.ContainsFunc(token.Mounts, func(mount checks.Mount) bool {
		directory := mount.Point == token.Directory.Path || strings.HasSuffix(mount.Point, "kubernetes.io/serviceaccount")
		return directory && slices.ContainsFunc(strings.Split(mount.Root, "/"), func(name string) bool { return strings.HasPrefix(name, "..2") })
	})
}

func isPlainFile(token *checks.TokenFacts) bool {
	return token.WrittenAt.IsZero() && token.File.Link == ""
}

func isTokenMount(mount checks.Mount, token *checks.TokenFacts) bool {
	return strings.HasSuffix(mount.Point, "serviceaccount/"+filepath.Base(token.File.Path)) || mount.Point == token.File.Path
}

func freshness(token *checks.TokenDetails, now time.Time) string {
	claims := token.Claims
	if token.RotationDueAt.IsZero() {
		return fmt.Sprintf("The token of service account %s is readable.", first(claims.ServiceAccount, claims.Subject))
	}
	due := "rotation is due in " + span(token.RotationDueAt.Sub(now))
	if now.After(token.RotationDueAt) {
		due = "rotation has been due for " + span(now.Sub(token.RotationDueAt))
	}
	return fmt.Sprintf("The token of service account %s was issued %s ago; %s.", first(claims.ServiceAccount, claims.Subject), span(now.Sub(claims.IssuedAt)), due)
}
