package checks

import (
	"crypto/sha256"
	"encoding/binary"
)

// Share is a number from 0 to 1, the same each time and evenly spread over a fleet:
// by it an agent puts off what else all would do at once. Each purpose has a share
// of its own, so that agents which agree in one thing do not in another.
func Share(identity, purpose string) float64 {
	sum := sha256.Sum256([]byte(purpose + " " + identity))
	return float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
}

// Identity is what tells the pod from the others of a fleet: the UID where the
// downward API gives it, and the hostname, which is the pod's name or, on the
// host's network, the node's.
func (p Pod) Identity() string { return p.Environment["POD_UID"] + "/" + p.Hostname }
