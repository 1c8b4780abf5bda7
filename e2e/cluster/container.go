//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ServiceAccountFolder is where kubelet mounts the files of a pod's service
// account.
const ServiceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// Container is one run of a container. After a restart it is another one.
type Container struct {
	Namespace, Pod, Name string

	namespaces *namespaces
	// pid is the process as the node's process namespace numbers it.
	pid int
}

// Output is what a program wrote, and the code that it ended with.
type Output struct {
	Out, Complaint []byte
	Code           int
}

// ended takes the code from the error of the program's end, which is no error
// then, unless it was ended with the context.
func (o *Output) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		o.Code, err = exit.ExitCode(), nil
	}
	return err
}

// Container is the running container of that name, an init container too, on
// whatever node. It is asked of containerd, and so also found while the API server is gone. The
// cluster must be Own.
func (c *Cluster) Container(ctx context.Context, namespace, pod, name string) (*Container, error) {
	found := &Container{Namespace: namespace, Pod: pod, Name: name}
	if !c.Own() {
		return nil, errors.New("find the process of " + found.String() + ": the cluster is somebody else's")
	}
	var failures []error
	for _, node := range c.Nodes() {
		err := found.lookOn(ctx, node)
		if err == nil {
			return found, nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", node.Name, err))
	}
	return nil, fmt.Errorf("find the process of %s: %w", found, errors.Join(failures...))
}

// lookOn finds the container where it runs on the node.
func (c *Container) lookOn(ctx context.Context, node *Node) error {
	// After a restart, the container that has ended is there as well.
	containers, err := node.ctr(ctx, "containers", "list", "--quiet", fmt.Sprintf(
		`labels."io.kubernetes.pod.namespace"==%q,labels."io.kubernetes.pod.name"==%q,labels."io.kubernetes.container.name"==%q`,
		c.Namespace, c.Pod, c.Name))
	if err != nil {
		return err
	}
	tasks, err := node.ctr(ctx, "tasks", "list")
	if err != nil {
		return err
	}
	c.namespaces = node.namespaces
	c.pid, err = running(strings.Fields(containers), tasks)
	return err
}

// running is the process of the one among the containers that runs, out of the
// table that "ctr tasks list" prints: TASK, PID and STATUS.
func running(containers []string, tasks string) (pid int, err error) {
	for line := range strings.Lines(tasks) {
		words := strings.Fields(line)
		if len(words) == 3 && words[2] == "RUNNING" && slices.Contains(containers, words[0]) {
			return strconv.Atoi(words[1])
		}
	}
	return 0, errors.New("no container of that name runs")
}

// String is namespace/pod/name.
func (c *Container) String() string { return c.Namespace + "/" + c.Pod + "/" + c.Name }

// Run runs a program of this machine to its end as if it were in the container:
// in its network, with its environment, and with its service-account files, its
// /etc/resolv.conf and its /etc/hosts. They are no copies: a token that is rotated
// meanwhile is seen. All other files are this machine's, and so is PATH; names are
// looked up in files and then in the DNS, whatever this machine does.
//
// The program runs as root and so reads files too that the container's own user
// may not. Any exit code is an Output; the error is for a program that could not
// be started, or that was ended with all that it started since the context was.
func (c *Container) Run(ctx context.Context, program string, arguments ...string) (Output, error) {
	var out, complaint bytes.Buffer
	command := exec.CommandContext(ctx, program, arguments...)
	command.Stdout, command.Stderr = &out, &complaint
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return unix.Kill(-command.Process.Pid, unix.SIGKILL) }
	err := c.namespaces.within(3, func() (err error) {
		if command.Env, err = c.join(); err != nil {
			return err
		}
		return command.Start()
	})
	if err == nil {
		err = command.Wait()
	}
	output := Output{Out: out.Bytes(), Complaint: complaint.Bytes()}
	if err := output.ended(ctx, err); err != nil {
		return output, fmt.Errorf("run %s in %s: %w", program, c, err)
	}
	return output, nil
}

// process is a path below the process's folder in /proc.
func (c *Container) process(path ...string) string {
	return filepath.Join("/proc", strconv.Itoa(c.pid), filepath.Join(path...))
}

// join takes the calling thread, which is in the node's namespaces, into the
// container's network and into mounts of its own, and returns the container's
// environment.
func (c *Container) join() (environment []string, err error) {
	variables, err := os.ReadFile(c.process("environ"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the container has ended")
	}
	if err != nil {
		return nil, err
	}
	network, err := os.Open(c.process("ns/net"))
	if err != nil {
		return nil, err
	}
	defer network.Close()
	mounts, err := os.Open(c.process("ns/mnt"))
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	if err := unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the container's network: %w", err)
	}
	if err := c.joinMounts(mounts); err != nil {
		return nil, err
	}
	environment = strings.Split(strings.TrimRight(string(variables), "\x00"), "\x00")
	return append(environment, "PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nil
}

// joinMounts takes the thread into new mounts that are like the node's, with
// the container's files in their places.
func (c *Container) joinMounts(container *os.File) error {
	if err := unix.Setns(int(container.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the container's mounts: %w", err)
	}
	trees := map[string]*os.File{}
	for _, path := range []string{ServiceAccountFolder, "/etc/resolv.conf", "/etc/hosts"} {
		tree, err := copyTree(path)
		if err != nil {
			return err
		}
		if tree != nil {
			defer tree.Close()
		}
		trees[path] = tree
	}
	if err := unix.Setns(int(c.namespaces.files[1].Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("return to the node's mounts: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make mounts of its own: %w", err)
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to itself: %w", err)
	}
	// An empty one also hides the sockets of daemons that look names up.
	if err := unix.Mount("tmpfs", "/var/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount an empty /var/run: %w", err)
	}
	if tree := trees[ServiceAccountFolder]; tree != nil {
		if err := os.MkdirAll(ServiceAccountFolder, 0o755); err != nil {
			return err
		}
		if err := attachTree(tree, ServiceAccountFolder); err != nil {
			return err
		}
	}
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if err := coverFile(path, trees[path], ""); err != nil {
			return err
		}
	}
	return coverFile("/etc/nsswitch.conf", nil, "passwd: files\nhosts: files dns\n")
}

// copyTree is what is mounted at the path, with all that is mounted below, or
// nil where nothing has that path. A plain bind mount cannot be made from
// another mount namespace.
func copyTree(path string) (*os.File, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("copy the container's %s: %w", path, err)
	}
	return os.NewFile(uintptr(tree), path), nil
}

func attachTree(tree *os.File, path string) error {
	if err := unix.MoveMount(int(tree.Fd()), "", unix.AT_FDCWD, path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount the container's %s: %w", path, err)
	}
	return nil
}

// coverFile mounts the tree over this machine's file, or else a file of the
// given content: to name resolution an empty file is as good as none.
func coverFile(path string, tree *os.File, content string) error {
	// systemd-resolved has /etc/resolv.conf lead into /run, which is empty here.
	if link, err := os.Readlink(path); err == nil {
		path = filepath.Join(filepath.Dir(path), link)
		if filepath.IsAbs(link) {
			path = link
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		defer file.Close()
	}
	if tree != nil {
		return attachTree(tree, path)
	}
	substitute := filepath.Join("/var/run", filepath.Base(path))
	if err := os.WriteFile(substitute, []byte(content), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(substitute, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cover %s: %w", path, err)
	}
	return nil
}

// KubectlImage is an image of the cluster's own kubectl, for a user other than
// root.
func (c *Cluster) KubectlImage(name string) Image {
	return Image{Name: name, Program: c.programs.path("kubernetes", "kubectl"), User: "65532:65532"}
}
