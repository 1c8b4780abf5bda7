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
	archive, err := image.archive()
	if err != nil {
		return fmt.Errorf("make the image %s: %w", image.Name, err)
	}
	file, err := os.CreateTemp(c.folder, "image-*.tar")
	if err != nil {
		return fmt.Errorf("write the image %s: %w", image.Name, err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(archive)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the image %s: %w", image.Name, err)
	}
	return c.ImportArchive(ctx, file.Name())
}

// ImportArchive is Import for the images in an archive, as "docker save" or
// "buildah push" write one.
func (c *Cluster) ImportArchive(ctx context.Context, file string) error {
	_, err := c.ctr(ctx, "images", "import", file)
	return err
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
