package judge

import (
	"crypto/x509"
	"testing"

	"github.com/kube-lifeline/lifeline/checks"
)

// bundle replaces what ca.crt holds.
func bundle(t *testing.T, changes ...func(*x509.Certificate)) func(*checks.Facts) {
	return func(f *checks.Facts) {
		f.CA.Blocks = []checks.PEMBlock{block(told(f, newPKI(t, changes...).cert))}
	}
}

func TestCA(t *testing.T) {
	untrusted := func(f *checks.Facts) { last(f).TLS.Verified = false }
	notAuthority := func(c *x509.Certificate) { c.IsCA = false }
	expired := func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, -1) }
	judgeCases(t, checks.CA, []verdictCase{
		{"missing", func(f *checks.Facts) { f.CA = &checks.CAFacts{File: checks.File{Problem: checks.FileMissing}} }, want{checks.Fail, checks.CAFileMissing}},
		{"a directory", func(f *checks.Facts) {
			f.CA = &checks.CAFacts{File: checks.File{Problem: checks.FileIrregular, Mode: "drwxr-xr-x"}}
		}, want{checks.Fail, checks.CAFileUnreadable}},
		{"a gigabyte", func(f *checks.Facts) { f.CA = &checks.CAFacts{File: checks.File{Problem: checks.FileTooLarge}} }, want{checks.Fail, checks.CAFileTooLarge}},
		{"empty", func(f *checks.Facts) { f.CA.Blocks, f.CA.Headers = nil, 0 }, want{checks.Fail, checks.CAFileEmptyOrNotPEM}},
		{"another kind of PEM", func(f *checks.Facts) {
			f.CA.Blocks, f.CA.Headers = []checks.PEMBlock{{Type: "PRIVATE KEY", Error: "passed over"}}, 0
		}, want{checks.Fail, checks.CAFileEmptyOrNotPEM}},
		{"a damaged block beside a good one", func(f *checks.Facts) {
			f.CA.Headers = 2
			f.CA.Blocks = append(f.CA.Blocks, checks.PEMBlock{Type: "CERTIFICATE", Error: "x509: malformed certificate"})
		}, want{checks.Warn, checks.CABundlePartiallyParsed}},
		{"a block cut off at the end", func(f *checks.Facts) { f.CA.Headers = 2 }, want{checks.Warn, checks.CABundlePartiallyParsed}},
		{"expired", bundle(t, expired), want{checks.Fail, checks.CAExpired}},
		{"an expired one left in beside the new", func(f *checks.Facts) {
			f.CA.Headers = 2
			f.CA.Blocks = append(f.CA.Blocks, block(told(f, newPKI(t, expired).cert)))
		}, want{checks.OK, ""}},
		{"not yet valid", bundle(t, func(c *x509.Certificate) { c.NotBefore = noon.AddDate(0, 0, 1) }), want{checks.Fail, checks.CANotYetValid}},
		{"three percent of its life left", bundle(t, func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 11) }), want{checks.Warn, checks.CAExpiringSoon}},
		{"no authority", both(untrusted, bundle(t, notAuthority)), want{checks.Fail, checks.CANotACA}},
		{"no authority, and trusted all the same", bundle(t, notAuthority), want{checks.Warn, checks.CANotACA}},
		{"eleven of them", func(f *checks.Facts) {
			f.CA.Headers = 11
			for range 10 {
				f.CA.Blocks = append(f.CA.Blocks, f.CA.Blocks[0])
			}
		}, want{checks.Warn, checks.CAWeakerTrust}},
	})
}

func TestTheDetailsTellWhichAuthorityEndsFirstAndWhichLast(t *testing.T) {
	facts := healthy(t)
	old := told(facts, newPKI(t, func(c *x509.Certificate) { c.NotAfter = noon.AddDate(0, 0, 1) }).cert)
	next := facts.CA.Blocks[0].Certificate
	facts.CA.Headers, facts.CA.Blocks = 2, append(facts.CA.Blocks, block(old))
	result, _ := Judge(facts, nil).Result(checks.CA)
	details := result.Details.(*checks.CADetails)
	if details.FirstExpiry.SHA256 != old.SHA256 || details.LastExpiry.SHA256 != next.SHA256 {
		t.Errorf("got %s first and %s last, want %s and %s", details.FirstExpiry.SHA256, details.LastExpiry.SHA256, old.SHA256, next.SHA256)
	}
}
