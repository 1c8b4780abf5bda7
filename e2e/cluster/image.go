//go:build linux

package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Image is a container image of a single static program in an otherwise empty
// file system.
type Image struct {
	// Name has a registry, a repository and a tag; no registry is asked.
	Name string
	// Program is a file on this machine. It is in the image's root by its base
	// name, and is the image's entry point.
	Program string
	// Commands are names in /bin that lead to the program, which may go by them.
	Commands []string
	// User is UID:GID, root where it is empty.
	User string
}

// Import puts the image where the cluster's pods find it with the
// imagePullPolicy Never or IfNotPresent.
func (c *Cluster) Import(ctx context.Context, image Image) error {
	return image.written(c.folder, func(file string) error { return c.ImportArchive(ctx, file) })
}

// ImportArchive is Import for the images in an archive, as "docker save" or
// "buildah push" write one.
func (c *Cluster) ImportArchive(ctx context.Context, file string) error {
	for _, node := range c.Nodes() {
		if err := node.importArchive(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) importImage(ctx context.Context, image Image) error {
	return image.written(n.folder, func(file string) error { return n.importArchive(ctx, file) })
}

func (n *Node) importArchive(ctx context.Context, file string) error {
	_, err := n.ctr(ctx, "images", "import", file)
	return err
}

// copyImages gives the node all images that another one has.
func (n *Node) copyImages(ctx context.Context, from *Node) error {
	out, err := from.ctr(ctx, "images", "list", "--quiet")
	if err != nil {
		return err
	}
	// Of each, containerd keeps one by its digest alone for kubelet.
	names := slices.DeleteFunc(strings.Fields(out), func(name string) bool { return strings.HasPrefix(name, "sha256:") })
	archive := filepath.Join(n.folder, "images.tar")
	defer func() { _ = os.Remove(archive) }()
	if _, err := from.ctr(ctx, append([]string{"images", "export", archive}, names...)...); err != nil {
		return err
	}
	return n.importArchive(ctx, archive)
}

// written writes the image as an archive into the folder for as long as it is used.
func (i Image) written(folder string, use func(file string) error) error {
	archive, err := i.archive()
	if err != nil {
		return fmt.Errorf("make the image %s: %w", i.Name, err)
	}
	file, err := os.CreateTemp(folder, "image-*.tar")
	if err != nil {
		return fmt.Errorf("write the image %s: %w", i.Name, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(archive)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the image %s: %w", i.Name, err)
	}
	return use(file.Name())
}

// archive is the image as "docker save" writes one.
func (i Image) archive() ([]byte, error) {
	program, err := os.ReadFile(i.Program)
	if err != nil {
		return nil, err
	}
	base := filepath.Base(i.Program)
	layer, err := tarball(i.Commands, map[string][]byte{base: program}, base)
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"User": i.User, "Entrypoint": []string{"/" + base}},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(layer))}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{i.Name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	return tarball(nil, map[string][]byte{"layer.tar": layer, "config.json": config, "manifest.json": manifest}, "layer.tar", "config.json", "manifest.json")
}

// tarball is an archive of the named files in their order, with links in bin to the
// first of them.
func tarball(links []string, files map[string][]byte, order ...string) ([]byte, error) {
	var out bytes.Buffer
	archive := tar.NewWriter(&out)
	for _, name := range order {
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(files[name])), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, err
		}
	}
	for _, link := range links {
		header := &tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + link, Linkname: "/" + order[0], ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), archive.Close()
}
