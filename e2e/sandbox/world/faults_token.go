package world

import (
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
)

// tokenFaults are wrong in what the token says.
func tokenFaults() []Fault {
	fail := func(name checks.Reason, title string, change func(*tokenShape)) Fault {
		return Fault{
			Name:   string(name),
			Title:  title,
			Check:  checks.Token,
			Status: checks.Fail,
			Reason: name,
			change: func(c *conditions) { change(&c.token) },
		}
	}
	return []Fault{
		fail(checks.TokenExpired, "The token ended an hour ago.", func(t *tokenShape) {
			t.age, t.lifetime, t.requested = 2*time.Hour, time.Hour, 0
		}),
		fail(checks.TokenNotYetValidAfterClockJump, "The token was issued an hour in the future.", func(t *tokenShape) {
			t.age = -time.Hour
		}),
		fail(checks.TokenAudienceMismatch, "The token is for another audience, sts.amazonaws.com.", func(t *tokenShape) {
			t.audience, t.lifetime, t.requested = "sts.amazonaws.com", day, 0
		}),
		fail(checks.TokenLegacyInvalidated, "The token is one of a Secret that was marked as invalid for lying unused.", func(t *tokenShape) {
			*t = tokenShape{issuer: legacyIssuer, invalidated: true}
		}),
		fail(checks.TokenNodeBoundInvalid, "The token is bound to a node alone, and the node was registered anew since.", func(t *tokenShape) {
			t.formerNode, t.lifetime, t.requested = true, day, 0
		}),
		{
			Name:   "token-rotation-stalled",
			Title:  "Kubelet last replaced the token 200 minutes ago, though it was due after 192.",
			Check:  checks.Token,
			Status: checks.Warn,
			Reason: checks.TokenRotationStalled,
			change: func(c *conditions) {
				// Of a default token this could be seen for seven minutes only,
				// until it is past warnafter; one of four hours has forty.
				c.token.age, c.token.lifetime, c.token.requested = 200*time.Minute, 4*time.Hour, 0
				c.volume.age = 200 * time.Minute
			},
		},
		{
			Name:   "token-past-warnafter",
			Title:  "The token is an hour past the end that kubelet asked for, and only its extension still lets it pass.",
			Check:  checks.Token,
			Status: checks.Warn,
			Reason: checks.TokenPastWarnAfter,
			change: func(c *conditions) {
				c.token.age, c.token.requested = 2*time.Hour, time.Hour
				c.volume.age = 2 * time.Hour
			},
		},
		{
			Name:   "token-legacy-secret-no-exp",
			Title:  "The token is one of a Secret, which never ends.",
			Check:  checks.Token,
			Status: checks.Warn,
			Reason: checks.TokenLegacySecretNoExp,
			change: func(c *conditions) { c.token = tokenShape{issuer: legacyIssuer} },
		},
		{
			Name:   "token-signing-key-unknown",
			Title:  "The token is signed by a key that the API server does not know.",
			Check:  checks.API,
			Status: checks.Fail,
			Reason: checks.HTTP401Unattributed,
			change: func(c *conditions) { c.token.unpublished = true },
		},
	}
}

// volumeFaults are wrong in how the token lies in its directory.
func volumeFaults() []Fault {
	fail := func(name string, reason checks.Reason, title string, change func(*conditions)) Fault {
		return Fault{Name: name, Title: title, Check: checks.Token, Status: checks.Fail, Reason: reason, change: change}
	}
	warn := func(name checks.Reason, title string, change func(*conditions)) Fault {
		return Fault{Name: string(name), Title: title, Check: checks.Token, Status: checks.Warn, Reason: name, change: change}
	}
	return []Fault{
		fail("token-not-mounted-automount-false", checks.TokenNotMountedAutomountFalse,
			"The service-account directory is not mounted.",
			func(c *conditions) { c.volume.mounted = false }),
		fail("token-file-missing-in-mounted-dir", checks.TokenFileMissingInMountedDir,
			"The service-account directory has no token.",
			tokenFile(func(string) file { return file{kind: missing} })),
		fail("token-empty", checks.TokenEmpty,
			"The token is empty.",
			tokenFile(func(string) file { return file{} })),
		fail("token-malformed", checks.TokenMalformed,
			"The token was cut off when it was copied.",
			tokenFile(func(token string) file { return plainFile(token[:strings.LastIndex(token, ".")-20]) })),
		fail("token-not-a-file", checks.TokenNotAFile,
			"The token is a directory.",
			tokenFile(func(string) file { return file{kind: directory} })),
		fail("token-fifo", checks.TokenNotAFile,
			"The token is a named pipe that nobody writes to.",
			tokenFile(func(string) file { return file{kind: fifo} })),
		fail("token-too-large", checks.TokenTooLarge,
			"The token is a file of a gigabyte.",
			tokenFile(func(string) file { return file{kind: gigabyte} })),
		warn(checks.TokenTrailingNewline,
			"The token ends with a newline.",
			tokenFile(func(token string) file { return plainFile(token + "\n") })),
		warn(checks.TokenNamespaceFileMismatch,
			"The namespace file names another namespace than the token.",
			func(c *conditions) { c.volume.namespace = plainFile("other") }),
		warn(checks.TokenMountShadowed,
			"Another volume is mounted over the service-account directory.",
			func(c *conditions) { c.volume.plain = true }),
	}
}

func tokenFile(content func(token string) file) func(*conditions) {
	return func(c *conditions) { c.tokenFile = content }
}
