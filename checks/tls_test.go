package checks

import "testing"

func TestAChainIsFollowedByTheNamesOfItsIssuers(t *testing.T) {
	leaf := Certificate{Subject: "CN=kube-apiserver", Issuer: "CN=between"}
	between := Certificate{Subject: "CN=between", Issuer: "CN=root"}
	root := Certificate{Subject: "CN=root", Issuer: "CN=root"}
	another := Certificate{Subject: "CN=another", Issuer: "CN=stranger"}
	circle := Certificate{Subject: "CN=between", Issuer: "CN=kube-apiserver"}
	for name, test := range map[string]struct {
		chain []Certificate
		want  string
	}{
		"a leaf alone":                 {[]Certificate{leaf}, "CN=between"},
		"a leaf that signs for itself": {[]Certificate{root}, "CN=root"},
		"with what is between":         {[]Certificate{leaf, between}, "CN=root"},
		"whole, in another order":      {[]Certificate{leaf, root, between}, "CN=root"},
		"with one that is not of it":   {[]Certificate{leaf, between, another}, "CN=root"},
		"without what is between":      {[]Certificate{leaf, another}, "CN=between"},
		"in a circle":                  {[]Certificate{leaf, circle}, "CN=kube-apiserver"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := TopOf(test.chain).Issuer; got != test.want {
				t.Errorf("got the issuer %s, want %s", got, test.want)
			}
		})
	}
}
