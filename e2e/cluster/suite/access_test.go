//go:build linux

package suite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kube-lifeline/lifeline/e2e/cluster"
	"github.com/kube-lifeline/lifeline/e2e/cluster/clients"
)

// cell is one way to the API under one fault: what the real client met, and what
// the report says of it.
type cell struct {
	client clients.Answer
	told   access
	// differs is why the two are known not to be the same, or nothing is told; empty
	// where they must.
	differs string
}

func (c cell) agrees() bool {
	if c.told.Path == "" {
		return c.differs != ""
	}
	return c.client.Path == c.told.Path && (c.client.Works == c.told.Works) == (c.differs == "")
}

func (c cell) String() string {
	words := map[bool]string{true: "works", false: "fails"}
	if c.agrees() && c.differs == "" {
		return words[c.client.Works]
	}
	if c.agrees() && c.told.Path == "" {
		return fmt.Sprintf("%s, not told (%s)", words[c.client.Works], c.differs)
	}
	if c.agrees() {
		return fmt.Sprintf("%s, told %s (%s)", words[c.client.Works], words[c.told.Works], c.differs)
	}
	return strings.ToUpper(words[c.client.Works] + ", told " + words[c.told.Works])
}

// compare asks the API by every real client in the pod and fails the test where
// the report that is made after it says otherwise. It asks again where a cell does
// not agree, since the fault may have begun or gone on between one and the other.
func (s suite) compare(ctx context.Context, t *testing.T, p cluster.Pod, differs map[string]string) []cell {
	t.Helper()
	var cells []cell
	for range 3 {
		cells = s.ask(ctx, t, p, differs)
		agree := true
		for _, cell := range cells {
			agree = agree && cell.agrees()
		}
		if agree {
			break
		}
	}
	for _, cell := range cells {
		line := fmt.Sprintf("%-13s works: %t, %s; told: %t, %s", cell.client.Path, cell.client.Works, cell.client.Said, cell.told.Works, cell.told.Why)
		if cell.agrees() {
			t.Log(line)
		} else {
			t.Error(line)
		}
	}
	return cells
}

func (s suite) ask(ctx context.Context, t *testing.T, p cluster.Pod, differs map[string]string) []cell {
	t.Helper()
	container, err := s.Container(ctx, p.Namespace, p.Name, "lifeline")
	if err != nil {
		t.Fatal(err)
	}
	answers, err := clients.Ask(ctx, container, s.goClient, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	told, _ := within(ctx, t, 4*interval, p, func(r report) bool { return r.Time.After(asked) })
	var cells []cell
	for _, answer := range answers {
		one := cell{client: answer, differs: differs[answer.Path]}
		for _, access := range told.Access {
			if access.Path == answer.Path {
				one.told = access
			}
		}
		cells = append(cells, one)
	}
	return cells
}
