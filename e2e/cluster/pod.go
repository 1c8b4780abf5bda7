//go:build linux

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Pod is a pod as the API server last had it. It can still be asked while the
// API server is gone.
type Pod struct {
	Namespace, Name, UID, Address, ServiceAccount string
	// Node is the name of the one that the pod is on.
	Node string
	// Ready is the condition of that name.
	Ready bool
	// Containers are those that have been started, init containers first, each
	// by its name.
	Containers map[string]ContainerStatus

	client *http.Client
	origin func(port int) string
}

// ContainerStatus is what kubelet says of a container.
type ContainerStatus struct {
	// ID is another after every restart.
	ID       string
	Restarts int
}

// Pods are the pods in a namespace with the labels that the selector names, as
// in "app=web"; all of them where it is empty.
func (c *Cluster) Pods(ctx context.Context, namespace, selector string) ([]Pod, error) {
	out, err := c.Kubectl(ctx, "get", "pods", "--namespace="+namespace, "--selector="+selector, "--output=json")
	if err != nil {
		return nil, err
	}
	type containerStatus struct {
		Name, ContainerID string
		RestartCount      int
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name, UID string }
			Spec     struct{ ServiceAccountName, NodeName string }
			Status   struct {
				PodIP                                    string
				Conditions                               []struct{ Type, Status string }
				InitContainerStatuses, ContainerStatuses []containerStatus
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("read what kubectl says of the pods in %s: %w", namespace, err)
	}
	pods := make([]Pod, 0, len(list.Items))
	for _, item := range list.Items {
		p := Pod{
			Namespace: namespace, Name: item.Metadata.Name, UID: item.Metadata.UID,
			Address: item.Status.PodIP, ServiceAccount: item.Spec.ServiceAccountName, Node: item.Spec.NodeName,
			Containers: map[string]ContainerStatus{},
			client:     c.Client(),
		}
		// As kubelet asks it, whatever is wrong between the nodes.
		if node, err := c.NodeOf(p); err == nil {
			p.client = node.Client()
		}
		p.origin = func(port int) string { return c.origin(p, port) }
		for _, condition := range item.Status.Conditions {
			p.Ready = p.Ready || condition.Type == "Ready" && condition.Status == "True"
		}
		for _, status := range append(item.Status.InitContainerStatuses, item.Status.ContainerStatuses...) {
			p.Containers[status.Name] = ContainerStatus{ID: status.ContainerID, Restarts: status.RestartCount}
		}
		pods = append(pods, p)
	}
	return pods, nil
}

// Pod is the pod of that name.
func (c *Cluster) Pod(ctx context.Context, namespace, name string) (Pod, error) {
	pods, err := c.Pods(ctx, namespace, "")
	if err != nil {
		return Pod{}, err
	}
	for _, pod := range pods {
		if pod.Name == name {
			return pod, nil
		}
	}
	return Pod{}, fmt.Errorf("there is no pod %s in %s", name, namespace)
}

// Get asks a port of the pod over plain HTTP and returns the status and the
// body of the answer.
func (p Pod) Get(ctx context.Context, port int, path string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.origin(port)+path, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
