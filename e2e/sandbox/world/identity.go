package world

import (
	"crypto/rand"
	"fmt"
)

const (
	namespace      = "lifeline-sandbox"
	serviceAccount = "lifeline"
	node           = "sandbox-node"
	clusterZone    = "cluster.local."
)

// identity is whose token the world mints.
type identity struct {
	pod               string
	podUID            string
	nodeUID           string
	serviceAccountUID string
}

func newIdentity(pod string) identity {
	if pod == "" {
		pod = "lifeline-7xk2p"
	}
	return identity{
		pod:               pod,
		podUID:            newUUID(),
		nodeUID:           newUUID(),
		serviceAccountUID: newUUID(),
	}
}

// username is the name that the API server knows the service account by.
func (i identity) username() string {
	return "system:serviceaccount:" + namespace + ":" + serviceAccount
}

// newUUID makes a random UUID, RFC 9562 section 5.4.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, see crypto/rand
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
