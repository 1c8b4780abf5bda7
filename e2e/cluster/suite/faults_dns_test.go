//go:build linux

package suite_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
)

// foreignDNS is a nameserver, at the address of a Service, that knows no cluster.
func foreignDNS(address string) objectsOf { return nameserver(address, upstream) }

// nameserver is a Service of that address with a CoreDNS pod for each Corefile
// behind it, dns-0 and so on.
func nameserver(address string, corefiles ...string) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		var ports []corev1.ServicePort
		for _, protocol := range []corev1.Protocol{corev1.ProtocolUDP, corev1.ProtocolTCP} {
			ports = append(ports, corev1.ServicePort{Name: strings.ToLower(string(protocol)), Protocol: protocol, Port: 53})
		}
		s.apply(ctx, t, corev1.Service{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "dns"},
			Spec:       corev1.ServiceSpec{ClusterIP: address, Selector: dnsLabels(), Ports: ports},
		})
		for i, corefile := range corefiles {
			s.startDNS(ctx, t, namespace, fmt.Sprintf("dns-%d", i), corefile)
		}
		return nil
	}
}

func dnsLabels() map[string]string { return map[string]string{"app": "dns"} }

// startDNS starts a pod behind the Service of nameserver and waits until it
// serves, else what is wrong at first is that nobody does.
func (s suite) startDNS(ctx context.Context, t *testing.T, namespace, name, corefile string) {
	t.Helper()
	metadata := metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: dnsLabels()}
	security := restricted()
	security.RunAsUser = new(int64(65532))
	s.apply(ctx, t,
		corev1.ConfigMap{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}, ObjectMeta: metadata, Data: map[string]string{"Corefile": corefile}},
		corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metadata, Spec: corev1.PodSpec{
			DNSPolicy:                     corev1.DNSDefault,
			TerminationGracePeriodSeconds: new(int64(0)),
			Volumes:                       []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}}},
			Containers: []corev1.Container{{
				Name: "coredns", Image: cluster.CoreDNSImage, Args: []string{"-conf", "/etc/coredns/Corefile"}, SecurityContext: security,
				VolumeMounts: []corev1.VolumeMount{{Name: "config", MountPath: "/etc/coredns"}},
			}},
		}},
	)
	if _, err := s.Kubectl(ctx, "wait", "--for=condition=Ready", "--timeout=1m", "--namespace="+namespace, "pod/"+name); err != nil {
		t.Fatal(err)
	}
}

// forwarding asks the cluster's DNS, withoutAAAA does so for other types alone and says
// nothing to that, servfail has no answer to any name, and wildcard has one to each below
// corp.example.
const (
	forwarding  = ".:53 {\nforward . " + cluster.DNSAddress + "\n}"
	withoutAAAA = ".:53 {\nacl {\ndrop type AAAA net *\n}\nforward . " + cluster.DNSAddress + "\n}"
	servfail    = ".:53 {\ntemplate ANY ANY . {\nrcode SERVFAIL\n}\n}"
	wildcard    = "corp.example:53 {\ntemplate IN A . {\nanswer \"{{ .Name }} 60 IN A " + cluster.NodeAddress + "\"\n}\ntemplate IN AAAA . {\nrcode NOERROR\n}\n}\n" + forwarding
)

// addBackend puts another pod behind the nameserver.
func addBackend(corefile string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		s.startDNS(ctx, t, p.Namespace, "dns-1", corefile)
		return func(ctx context.Context) error {
			_, err := s.Kubectl(ctx, "delete", "pod/dns-1", "--namespace="+p.Namespace, "--wait=false")
			return err
		}
	}
}

// replaceBackend puts another pod behind the nameserver in the place of its only
// one.
func replaceBackend(corefile string) injection {
	return func(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
		t.Helper()
		remove := addBackend(corefile)(ctx, t, s, p)
		inService := func(ctx context.Context, label string) error {
			_, err := s.Kubectl(ctx, "label", "pod/dns-0", "--namespace="+p.Namespace, "--overwrite", label)
			return err
		}
		if err := inService(ctx, "app=replaced"); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { return errors.Join(inService(ctx, "app=dns"), remove(ctx)) }
	}
}

// nodeAddress gives every node an address on which nothing listens, as a cache of
// the node leaves it that was killed.
func nodeAddress(address string) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, _ string) []any {
		t.Helper()
		change := func(ctx context.Context, do string) {
			for _, node := range s.Nodes() {
				if _, err := node.Run(ctx, "ip", "address", do, address+"/32", "dev", "lo"); err != nil {
					t.Error(err)
				}
			}
		}
		change(ctx, "add")
		t.Cleanup(func() { change(context.WithoutCancel(ctx), "delete") })
		return nil
	}
}

// lateDNS is the cluster's DNS at an address of the nodes, which answers so much later.
func lateDNS(address string, late time.Duration) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		nodeAddress(address)(ctx, t, s, namespace)
		for _, node := range s.Nodes() {
			answer := func(query []byte) []byte {
				reply := askDNS(ctx, node, query)
				wait(ctx, late)
				return reply
			}
			relayDatagrams(ctx, t, node, address, answer)
			relayStreams(ctx, t, node, address, answer)
		}
		return nil
	}
}

// cutDNS is the cluster's DNS at an address of the nodes, of which every answer is
// marked as cut. Nothing listens there for TCP.
func cutDNS(address string) objectsOf {
	return func(ctx context.Context, t *testing.T, s suite, namespace string) []any {
		t.Helper()
		nodeAddress(address)(ctx, t, s, namespace)
		for _, node := range s.Nodes() {
			relayDatagrams(ctx, t, node, address, func(query []byte) []byte {
				const flags, truncated = 2, 1 << 1 // RFC 1035 section 4.1.1.
				reply := askDNS(ctx, node, query)
				if len(reply) > flags {
					reply[flags] |= truncated
				}
				return reply
			})
		}
		return nil
	}
}

// askDNS asks the cluster's DNS from a node and returns nothing where it is silent.
func askDNS(ctx context.Context, node *cluster.Node, query []byte) []byte {
	connection, err := node.Dial(ctx, "udp", cluster.DNSAddress+":53")
	if err != nil {
		return nil
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := connection.Write(query); err != nil {
		return nil
	}
	reply := make([]byte, 1<<16)
	n, err := connection.Read(reply)
	if err != nil {
		return nil
	}
	return reply[:n]
}

// relayDatagrams answers what is sent to port 53 of the node's address until the test
// ends.
func relayDatagrams(ctx context.Context, t *testing.T, node *cluster.Node, address string, answer func(query []byte) []byte) {
	t.Helper()
	connection, err := node.ListenPacket(ctx, address+":53")
	if err != nil {
		t.Fatal(err)
	}
	var relaying sync.WaitGroup
	relaying.Go(func() {
		for {
			query := make([]byte, 1<<16)
			n, from, err := connection.ReadFrom(query)
			if err != nil {
				return
			}
			relaying.Go(func() { _, _ = connection.WriteTo(answer(query[:n]), from) })
		}
	})
	t.Cleanup(func() {
		_ = connection.Close()
		relaying.Wait()
	})
}

// relayStreams is relayDatagrams for one query of each connection over TCP.
func relayStreams(ctx context.Context, t *testing.T, node *cluster.Node, address string, answer func(query []byte) []byte) {
	t.Helper()
	listener, err := node.Listen(ctx, address+":53")
	if err != nil {
		t.Fatal(err)
	}
	var relaying sync.WaitGroup
	relaying.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			relaying.Go(func() {
				defer connection.Close()
				_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
				var length uint16
				if binary.Read(connection, binary.BigEndian, &length) != nil {
					return
				}
				query := make([]byte, length)
				if _, err := io.ReadFull(connection, query); err != nil {
					return
				}
				reply := answer(query)
				_, _ = connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		relaying.Wait()
	})
}

// frozenNameserver stops the only pod of the nameserver in the middle of what it
// does: its kernel takes packets and connections, and nobody answers.
func frozenNameserver(ctx context.Context, t *testing.T, s suite, p cluster.Pod) func(context.Context) error {
	t.Helper()
	container, err := s.Container(ctx, p.Namespace, "dns-0", "coredns")
	if err != nil {
		t.Fatal(err)
	}
	signal := func(ctx context.Context, name string) error {
		// Each pod has a network of its own.
		out, err := container.Run(ctx, "sh", "-c", `for process in $(pidof coredns); do
			[ "$(readlink /proc/$process/ns/net)" != "$(readlink /proc/self/ns/net)" ] || kill -"$1" "$process"
		done`, "sh", name)
		if err == nil && out.Code != 0 {
			err = fmt.Errorf("send %s to CoreDNS: %s", name, out.Complaint)
		}
		return err
	}
	if err := signal(ctx, "STOP"); err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) error { return signal(ctx, "CONT") }
}
