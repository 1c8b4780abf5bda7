package world

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/catalogue"
)

// Fault is one thing wrong with the world.
type Fault struct {
	// Name is the reason that the report must give, or a plainer name where
	// several faults lead to one reason.
	Name string
	// Title is one sentence on what is wrong.
	Title string
	// Check, Status and Reason are what the report must say.
	Check  checks.Name
	Status checks.Status
	Reason checks.Reason
	// Cause is what the diagnosis names first where deep probes tell more than the
	// check; else it is empty.
	Cause checks.Reason
	// Delay is how much longer than a round it may take until the fault shows and
	// until its end does, where it is seen over a connection that is kept.
	Delay time.Duration
	// Environment lies over the pod's environment while the fault is on; an
	// empty value unsets a variable. It is nil for all other faults. A process
	// keeps the environment that it was started with, so it has to be started
	// again.
	Environment map[string]string
	// Deep tells that no round meets the fault and the deep probes do, as of
	// lifeline check: it harms other resolvers than Go's.
	Deep bool

	change func(*conditions)
}

// First is the reason that the diagnosis names first.
func (f Fault) First() checks.Reason { return cmp.Or(f.Cause, f.Reason) }

// Faults are all faults, in the order of the links that they break.
func Faults() []Fault {
	return slices.Concat(
		environmentFaults(),
		resolverFaults(), nameserverFaults(), datagramFaults(),
		tokenFaults(), volumeFaults(),
		authorityFaults(),
		certificateFaults(), strictFaults(), handshakeFaults(),
		connectionFaults(), answerFaults(), responseFaults(),
		kubectlProxyFaults(),
	)
}

// FindFault returns the named fault. Its error names those that are spelt most
// alike.
func FindFault(name string) (Fault, error) {
	faults := Faults()
	for _, fault := range faults {
		if fault.Name == name {
			return fault, nil
		}
	}
	return Fault{}, fmt.Errorf("there is no fault %q; the nearest are %s", name, strings.Join(nearest(name, faults), ", "))
}

// Inject switches a fault on. It does nothing where the fault is on already,
// and where it fails the fault stays off.
func (w *World) Inject(name string) error {
	return w.turn(name, true)
}

// Restore switches a fault off. It does nothing where the fault is off.
func (w *World) Restore(name string) error {
	return w.turn(name, false)
}

// RestoreAll switches all faults off.
func (w *World) RestoreAll() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.faults)
	if err := w.match(w.present()); err != nil {
		return fmt.Errorf("switching all faults off: %w", err)
	}
	return nil
}

// Injected are the faults that are on.
func (w *World) Injected() []Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(Faults(), func(fault Fault) bool { return !w.faults[fault.Name] })
}

func (w *World) turn(name string, on bool) error {
	if _, err := FindFault(name); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := maps.Clone(w.faults)
	w.faults[name] = on
	err := w.match(w.present())
	if err == nil {
		return nil
	}
	if on {
		w.faults = before
		err = errors.Join(err, w.match(w.present()))
	}
	return fmt.Errorf("switching the fault %s: %w", name, err)
}

// present are the conditions with all faults that are on.
func (w *World) present() conditions {
	present := healthy(w.lifetime)
	for _, fault := range Faults() {
		if !w.faults[fault.Name] {
			continue
		}
		maps.Copy(present.environment, fault.Environment)
		if fault.change != nil {
			fault.change(&present)
		}
	}
	return present
}

// nearest are the three names that take the fewest edits.
func nearest(name string, faults []Fault) []string {
	names := make([]string, len(faults))
	for i, fault := range faults {
		names[i] = fault.Name
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(unlikeness(name, a), unlikeness(name, b))
	})
	return names[:min(3, len(names))]
}

// unlikeness counts the edits between two names, half where one is part of the
// other.
func unlikeness(given, name string) int {
	edits := catalogue.Edits(given, name)
	if given != "" && strings.Contains(name, given) {
		return edits / 2
	}
	return edits
}
