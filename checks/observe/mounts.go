package observe

import (
	"path/filepath"
	"strings"

	"github.com/kube-lifeline/lifeline/checks"
)

const (
	// maxMountInfo holds the table of a node with thousands of mounts.
	maxMountInfo = 4 << 20
	// maxMounts bounds what is kept of it.
	maxMounts = 16
)

// mountFacts are what the table of mounts tells of a pod.
type mountFacts struct {
	// below are the mounts at the service-account directory and under it.
	below  []checks.Mount
	podUID string
}

// readMounts reads the table of mounts. Where it cannot be read, as on systems
// other than Linux, it tells nothing.
func readMounts(pod checks.Pod) *mountFacts {
	_, content := readFile(pod.MountInfo, maxMountInfo)
	table := parseMounts(string(content))
	return &mountFacts{below: table.below(pod.ServiceAccountDir), podUID: table.podUID(pod.Hosts)}
}

type mountTable []checks.Mount

// parseMounts reads the lines of proc_pid_mountinfo(5): the fourth field is the
// root within the file system, the fifth the mount point.
func parseMounts(content string) mountTable {
	var table mountTable
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		table = append(table, checks.Mount{Root: unescapeMount(fields[3]), Point: unescapeMount(fields[4])})
	}
	return table
}

// unescapeMount undoes the kernel's escapes of the characters that would end a
// field.
func unescapeMount(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(field)
}

// below are the mounts at a directory and under it. The table has resolved
// paths, and /var/run is a link to /run in many images.
func (t mountTable) below(directory string) []checks.Mount {
	resolved := resolve(directory)
	var found []checks.Mount
	for _, mount := range t {
		if mount.Point != resolved && !strings.HasPrefix(mount.Point, resolved+"/") {
			continue
		}
		if len(found) == maxMounts {
			break
		}
		found = append(found, checks.Mount{Root: clip(mount.Root, maxMessage), Point: clip(mount.Point, maxMessage)})
	}
	return found
}

// podUID is the pod's UID as it stands in the path of the file that kubelet
// mounts at the hosts file: <root>/pods/<UID>/etc-hosts
// (pkg/kubelet/kubelet_pods.go, getEtcHostsPath).
func (t mountTable) podUID(hosts string) string {
	resolved := resolve(hosts)
	for _, mount := range t {
		if mount.Point != resolved {
			continue
		}
		folder, file := filepath.Split(mount.Root)
		pods, uid := filepath.Split(filepath.Clean(folder))
		if file == "etc-hosts" && filepath.Base(pods) == "pods" {
			return clip(uid, maxNameLength)
		}
	}
	return ""
}

func resolve(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}
	return filepath.Clean(path)
}
