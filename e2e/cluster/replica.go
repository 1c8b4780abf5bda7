//go:build linux

package cluster

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const secondAPIServer = "kube-apiserver-2"

// APIServer is how a second API server differs from the first. The zero value
// does in nothing but its address.
type APIServer struct {
	Certificate ServingCertificate
	// Flags are given in the place of the first one's, as for Restart.
	Flags []string
	// Dead has its process gone, and Frozen stopped, while Service kubernetes
	// still leads to it, as to one of which nothing renews and nothing removes
	// the address.
	Dead, Frozen bool
}

// AddAPIServer starts a second API server on the same etcd, at SecondAddress, and
// returns when Service kubernetes leads to both of them. It returns what ends it
// and takes its address out of the Service. There can be one at a time.
func (c *Cluster) AddAPIServer(ctx context.Context, another APIServer) (remove func(context.Context) error, err error) {
	remove = func(ctx context.Context) error {
		if err := c.removeAPIServer(ctx); err != nil {
			return fmt.Errorf("remove an API server: %w", err)
		}
		return nil
	}
	if err := c.addAPIServer(ctx, another); err != nil {
		return nil, errors.Join(fmt.Errorf("add an API server: %w", err), remove(context.WithoutCancel(ctx)))
	}
	return remove, nil
}

func (c *Cluster) addAPIServer(ctx context.Context, another APIServer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it did not serve within %s", startLimit))
	defer cancel()
	certificate := another.Certificate
	if len(certificate.Names) == 0 {
		certificate.Names = append(ServingNames(), SecondAddress)
	}
	if err := c.issueServing(secondAPIServer, certificate); err != nil {
		return err
	}
	flags := replaceFlags(c.apiServerFlags(), []string{
		"--advertise-address=" + SecondAddress,
		"--bind-address=" + SecondAddress,
		"--tls-cert-file=" + c.authority.path(secondAPIServer+".crt"),
		"--tls-private-key-file=" + c.authority.path(secondAPIServer+".key"),
	})
	if err := c.launchAs(secondAPIServer, "kubernetes", apiServer, replaceFlags(flags, another.Flags)...); err != nil {
		return err
	}
	if err := poll(ctx, func() error {
		_, err := c.run(ctx, "", "curl", "--silent", "--fail", "--insecure", "--max-time", "2", "https://"+SecondAddress+":6443/readyz")
		return err
	}); err != nil {
		return err
	}
	if err := c.leadsToSecond(ctx, true); err != nil {
		return err
	}
	switch {
	case another.Dead:
		if err := c.Kill(secondAPIServer); err != nil {
			return err
		}
	case another.Frozen:
		if err := c.Freeze(secondAPIServer); err != nil {
			return err
		}
	default:
		return nil
	}
	return c.keepListed(ctx)
}

// removeAPIServer ends the second API server and does what one does that is
// stopped in order (kubernetes pkg/controlplane/reconcilers/lease.go): it takes
// back its lease, and its address out of the endpoints, which the first would
// do within a quarter of a minute.
func (c *Cluster) removeAPIServer(ctx context.Context) error {
	if _, err := c.process(secondAPIServer); err != nil {
		return nil // It was never started.
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("it was listed for %s more", startLimit))
	defer cancel()
	if err := c.Kill(secondAPIServer); err != nil {
		return err
	}
	if _, err := c.etcd(ctx, "deleterange", map[string]string{"key": leaseKey()}); err != nil {
		return fmt.Errorf("take back the lease of the second API server: %w", err)
	}
	for object, patch := range map[string]string{
		"endpoints/kubernetes":     `[{"op": "replace", "path": "/subsets/0/addresses", "value": [{"ip": "` + NodeAddress + `"}]}]`,
		"endpointslice/kubernetes": `[{"op": "replace", "path": "/endpoints", "value": [{"addresses": ["` + NodeAddress + `"], "conditions": {"ready": true}}]}]`,
	} {
		if _, err := c.Kubectl(ctx, "patch", object, "--namespace=default", "--type=json", "--patch="+patch); err != nil {
			return err
		}
	}
	return c.leadsToSecond(ctx, false)
}

// leadsToSecond waits until kube-proxy's rules on every node lead to the second API
// server, or no longer do.
func (c *Cluster) leadsToSecond(ctx context.Context, want bool) error {
	return poll(ctx, func() error {
		for _, node := range c.Nodes() {
			rules, err := node.Run(ctx, "nft", "list", "table", "ip", "kube-proxy")
			if err != nil {
				return err
			}
			// It is written so beside the first one.
			if strings.Contains(rules, SecondAddress+" . 6443") != want {
				return fmt.Errorf("that Service kubernetes leads to %s on %s is %t, and has to become %t", SecondAddress, node.Name, !want, want)
			}
		}
		return nil
	})
}

func leaseKey() string {
	return base64.StdEncoding.EncodeToString([]byte("/registry/masterleases/" + SecondAddress))
}

// keepListed writes the lease of the second API server again, as one without an
// end.
func (c *Cluster) keepListed(ctx context.Context) error {
	out, err := c.etcd(ctx, "range", map[string]string{"key": leaseKey()})
	if err != nil {
		return err
	}
	var found struct {
		KVs []struct {
			Value string `json:"value"`
		} `json:"kvs"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return fmt.Errorf("read what etcd answers: %w", err)
	}
	if len(found.KVs) != 1 {
		return fmt.Errorf("the second API server has %d leases", len(found.KVs))
	}
	_, err = c.etcd(ctx, "put", map[string]string{"key": leaseKey(), "value": found.KVs[0].Value})
	return err
}

// etcd calls its JSON gateway (etcd api/etcdserverpb/rpc.proto), in which bytes
// are in base64.
func (c *Cluster) etcd(ctx context.Context, call string, body map[string]string) ([]byte, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+etcdAddress+"/v3/kv/"+call, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	response, err := c.Client().Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask etcd: %w", err)
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("etcd answers %s: %s", response.Status, out)
	}
	return out, err
}
