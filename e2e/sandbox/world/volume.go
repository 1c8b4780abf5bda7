package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// volume is the service-account directory.
type volume struct {
	mounted bool
	// plain puts the files into the directory itself, as a volume of another
	// kind has them.
	plain bool
	// age is how long ago the volume was written, by the name of its
	// directory.
	age       time.Duration
	token     file
	ca        file
	namespace file
}

// serviceAccountDir writes the directory as kubelet does.
type serviceAccountDir struct {
	path    string
	present volume
}

// write makes the directory match. It does nothing where it does already.
func (d *serviceAccountDir) write(want volume) error {
	if want == d.present {
		return nil
	}
	var err error
	switch {
	case !want.mounted:
		err = os.RemoveAll(d.path)
	case want.plain:
		err = d.lay(want)
	default:
		err = d.project(want)
	}
	if err != nil {
		return fmt.Errorf("writing the service-account directory: %w", err)
	}
	d.present = want
	return nil
}

type entry struct {
	name string
	file file
}

func (v volume) entries() []entry {
	return []entry{{"token", v.token}, {"ca.crt", v.ca}, {"namespace", v.namespace}}
}

// lay puts the files into the directory itself.
func (d *serviceAccountDir) lay(want volume) error {
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return err
	}
	for _, entry := range want.entries() {
		if err := entry.file.replace(filepath.Join(d.path, entry.name)); err != nil {
			return err
		}
	}
	return d.removeHidden("")
}

// project writes the files as kubelet's atomic writer does
// (pkg/volume/util/atomic_writer.go): into a directory named by the time, to
// which ..data is then turned by a rename.
func (d *serviceAccountDir) project(want volume) error {
	if err := os.MkdirAll(d.path, 0o755); err != nil {
		return err
	}
	stamp := time.Now().Add(-want.age).UTC().Format("..2006_01_02_15_04_05.")
	stamped, err := os.MkdirTemp(d.path, stamp)
	if err != nil {
		return err
	}
	if err := os.Chmod(stamped, 0o755); err != nil {
		return err
	}
	for _, entry := range want.entries() {
		if err := entry.file.create(filepath.Join(stamped, entry.name)); err != nil {
			return err
		}
	}
	if err := d.link(filepath.Base(stamped), "..data"); err != nil {
		return err
	}
	for _, entry := range want.entries() {
		if entry.file.kind == missing {
			err = os.RemoveAll(filepath.Join(d.path, entry.name))
		} else {
			err = d.link(filepath.Join("..data", entry.name), entry.name)
		}
		if err != nil {
			return err
		}
	}
	return d.removeHidden(filepath.Base(stamped))
}

// link makes name a symbolic link, in one step.
func (d *serviceAccountDir) link(target, name string) error {
	path := filepath.Join(d.path, name)
	if present, err := os.Readlink(path); err == nil && present == target {
		return nil
	}
	if err := os.Symlink(target, path+"_tmp"); err != nil {
		return err
	}
	return takePlace(path+"_tmp", path)
}

// removeHidden removes the directories named by a time but the one that is
// kept; with none kept, ..data as well.
func (d *serviceAccountDir) removeHidden(kept string) error {
	present, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range present {
		name := entry.Name()
		if !strings.HasPrefix(name, "..") || name == kept || name == "..data" && kept != "" {
			continue
		}
		failures = append(failures, os.RemoveAll(filepath.Join(d.path, name)))
	}
	return errors.Join(failures...)
}

// mountInfo is the pod's table of mounts, see proc_pid_mountinfo(5): the
// hosts file out of kubelet's directory of the pod, and the service-account
// volume.
func (v volume) mountInfo(hosts, account, podUID string) string {
	pod := "/var/lib/kubelet/pods/" + podUID
	table := mountLine(pod+"/etc-hosts", hosts, "ext4 /dev/vda1")
	switch {
	case !v.mounted:
	case v.plain:
		table += mountLine(pod+"/volumes/kubernetes.io~empty-dir/account", account, "ext4 /dev/vda1")
	default:
		table += mountLine("/", account, "tmpfs tmpfs")
	}
	return table
}

func mountLine(root, point, source string) string {
	escape := strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`)
	return fmt.Sprintf("812 790 0:57 %s %s rw,relatime - %s rw\n", escape.Replace(root), escape.Replace(point), source)
}
