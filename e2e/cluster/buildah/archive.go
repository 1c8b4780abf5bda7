package buildah

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Image is what is in an archive of a single image.
type Image struct {
	// Names are the references that the image has, each with its tag.
	Names []string
	// Architecture and OS are as in GOARCH and GOOS.
	Architecture, OS string
	Config           Config
	// Files are the entries of all layers, folders and links too, from the
	// lowest layer to the uppermost.
	Files []File
}

// Config is how a container of the image is started: the part of the image's
// configuration that the OCI image specification calls config.
type Config struct {
	User         string
	ExposedPorts map[string]struct{}
	Env          []string
	Entrypoint   []string
	Cmd          []string
	Volumes      map[string]struct{}
	WorkingDir   string
	Labels       map[string]string
}

// File is an entry of a layer.
type File struct {
	// Name is without a slash at its beginning.
	Name     string
	Mode     fs.FileMode
	UID, GID int
	Content  []byte
}

// Inspect reads an archive as [Build] writes it. That a layer is not the one
// which the image's configuration promises is an error.
func Inspect(archive string) (Image, error) {
	image, err := inspect(archive)
	if err != nil {
		return Image{}, fmt.Errorf("read the image archive %s: %w", archive, err)
	}
	return image, nil
}

func inspect(archive string) (Image, error) {
	file, err := os.Open(archive)
	if err != nil {
		return Image{}, err
	}
	defer file.Close()
	blobs, err := entries(file)
	if err != nil {
		return Image{}, err
	}
	contents := map[string][]byte{}
	for _, entry := range blobs {
		contents[entry.Name] = entry.Content
	}

	var manifest []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	if err := json.Unmarshal(contents["manifest.json"], &manifest); err != nil {
		return Image{}, fmt.Errorf("read manifest.json: %w", err)
	}
	if len(manifest) != 1 {
		return Image{}, fmt.Errorf("it holds %d images, not one", len(manifest))
	}
	var configuration struct {
		Architecture, OS string
		Config           Config
		RootFS           struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(contents[manifest[0].Config], &configuration); err != nil {
		return Image{}, fmt.Errorf("read the configuration %q: %w", manifest[0].Config, err)
	}
	image := Image{
		Names:        manifest[0].RepoTags,
		Architecture: configuration.Architecture,
		OS:           configuration.OS,
		Config:       configuration.Config,
	}
	var layers [][]byte
	for _, name := range manifest[0].Layers {
		layers = append(layers, contents[name])
	}
	image.Files, err = files(layers, configuration.RootFS.DiffIDs)
	return image, err
}

// files are the entries of all layers, which must have the promised digests.
func files(layers [][]byte, promised []string) ([]File, error) {
	var all []File
	var digests []string
	for number, layer := range layers {
		digests = append(digests, fmt.Sprintf("sha256:%x", sha256.Sum256(layer)))
		files, err := entries(bytes.NewReader(layer))
		if err != nil {
			return nil, fmt.Errorf("read layer %d: %w", number, err)
		}
		all = append(all, files...)
	}
	if !slices.Equal(digests, promised) {
		return nil, fmt.Errorf("its layers are %v, and its configuration has %v", digests, promised)
	}
	return all, nil
}

// entries are those of a tar archive.
func entries(archive io.Reader) ([]File, error) {
	var found []File
	reader := tar.NewReader(archive)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, err
		}
		found = append(found, File{
			Name: header.Name, Mode: header.FileInfo().Mode(), UID: header.Uid, GID: header.Gid, Content: content,
		})
	}
}
