package checks

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// MaxFactsSize is how many bytes of JSON are read as facts. Those of a pod are
// some 30 KiB, and a ca.crt as large as a ConfigMap can hold makes 2 MiB.
const MaxFactsSize = 8 << 20

// WriteFacts writes facts as indented JSON, which ReadFacts reads. Judged again
// they give the same report.
func WriteFacts(out io.Writer, facts *Facts) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(facts); err != nil {
		return fmt.Errorf("these facts cannot be written as JSON: %w", err)
	}
	if _, err := out.Write(body.Bytes()); err != nil {
		return fmt.Errorf("writing the facts: %w", err)
	}
	return nil
}

// ReadFacts reads what WriteFacts wrote, be it of another release of the same
// FactsVersion: fields that this one does not know are passed over. The error
// says what is wrong with facts that cannot be judged: another version, more
// than MaxFactsSize, no JSON or not the whole, or what no round sees.
func ReadFacts(in io.Reader) (*Facts, error) {
	body, err := io.ReadAll(io.LimitReader(in, MaxFactsSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the facts: %w", err)
	case len(body) > MaxFactsSize:
		return nil, fmt.Errorf("there is more than the %d MiB that facts can have", MaxFactsSize>>20)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, errors.New("there are no facts: the input is empty")
	}
	if err := checkVersion(body); err != nil {
		return nil, err
	}
	facts := &Facts{}
	if err := unmarshal(body, facts); err != nil {
		return nil, err
	}
	if name, ok := facts.lacks(); ok {
		return nil, fmt.Errorf("the facts are not whole: nothing of %s is in them", name)
	}
	for _, attempt := range facts.attempts() {
		if err := attempt.check(); err != nil {
			return nil, fmt.Errorf("these facts cannot be of a round: the attempt at %.100q %w", attempt.URL, err)
		}
	}
	if err := facts.check(); err != nil {
		return nil, fmt.Errorf("these facts cannot be of a round: %w", err)
	}
	return facts, nil
}

// checkVersion looks at nothing but the version, since other fields may have
// another type in another one.
func checkVersion(body []byte) error {
	var head struct {
		Version    string `json:"version"`
		APIVersion string `json:"apiVersion"`
	}
	switch err := unmarshal(body, &head); {
	case err != nil:
		return err
	case head.Version == FactsVersion:
		return nil
	case head.Version == "" && head.APIVersion != "":
		return errors.New("this is a report and no facts, of which it holds too few to be judged again")
	case head.Version == "":
		return errors.New("these are no facts: they name no version")
	default:
		const longest = 64
		return fmt.Errorf("the facts are of the version %.*q, and this program knows %q", longest, head.Version, FactsVersion)
	}
}

func unmarshal(body []byte, into any) error {
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(body)):
		return errors.New("the facts are not whole: their JSON ends in the middle")
	case errors.As(err, &syntax):
		return fmt.Errorf("these are no facts in JSON: %w, at byte %d", err, syntax.Offset)
	case errors.As(err, &mistyped):
		return fmt.Errorf("these are no facts: %s stands where %s is to be", withArticle(mistyped.Value), cmp.Or(mistyped.Field, "the whole"))
	default:
		return fmt.Errorf("these are no facts: %w", err)
	}
}

func withArticle(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// lacks names a check of which nothing was seen, though a round looks at it.
// The files and the environment it looks at even where their own check is left
// out, since others are judged by them.
func (f *Facts) lacks() (Name, bool) {
	wanted := func(name Name) bool { return !slices.Contains(f.Skipped, name) }
	api := wanted(TLS) || wanted(API)
	for _, part := range []struct {
		name         Name
		seen, needed bool
	}{
		{Environment, f.Environment != nil, true},
		{Token, f.Token != nil, true},
		{CA, f.CA != nil, true},
		{API, f.API != nil, api},
		{DNS, f.DNS != nil, wanted(DNS) || api && f.Environment != nil && IsHostName(f.Environment.ServiceHost)},
	} {
		if _, failed := f.Panics[part.name]; part.needed && !part.seen && !failed {
			return part.name, true
		}
	}
	return "", false
}

func (f *Facts) attempts() (attempts []*Attempt) {
	if f.API != nil {
		attempts = append(attempts, f.API.ServiceHost, f.API.ByName)
	}
	if f.KubectlProxy != nil {
		attempts = append(attempts, &f.KubectlProxy.Attempt)
	}
	return slices.DeleteFunc(attempts, func(attempt *Attempt) bool { return attempt == nil })
}

// check tells what an attempt lacks that every one has.
func (a *Attempt) check() error {
	if len(a.Exchanges) == 0 {
		return errors.New("has no exchange")
	}
	for _, exchange := range a.Exchanges {
		switch exchange.Stage {
		case StageResolve, StageConnect, StageResponse, StageBody:
		case StageTLS:
			if exchange.TLS == nil {
				return errors.New("came to a handshake of which it tells nothing")
			}
		case StageDone:
			if exchange.Response == nil {
				return errors.New("was answered with no response")
			}
		default:
			return fmt.Errorf("came to the stage %.30q, which there is not", exchange.Stage)
		}
	}
	return nil
}

const (
	// mostOfAKind is far above what any round has of what is compared one with the
	// other, and mostCounted above what is counted one by one.
	mostOfAKind = 64
	mostCounted = 1000
)

// check tells what is more than a round could see, and what is not consistent.
func (f *Facts) check() error {
	var lately, servers, fresh int
	if f.History != nil {
		lately = len(f.History.Lately)
	}
	if f.Deep != nil && f.Deep.DNS != nil {
		servers = len(f.Deep.DNS.Nameservers)
	}
	if f.Deep != nil && f.Deep.Path != nil {
		fresh = len(f.Deep.Path.Fresh)
	}
	for _, held := range []struct {
		count int
		what  string
	}{{lately, "earlier rounds"}, {servers, "nameservers"}, {fresh, "connections to tell replicas apart"}} {
		if held.count > mostOfAKind {
			return fmt.Errorf("they hold %d %s", held.count, held.what)
		}
	}
	if servers == 0 {
		return nil
	}
	for _, server := range f.Deep.DNS.Nameservers {
		if err := server.check(); err != nil {
			return err
		}
	}
	return nil
}

func (n *NameserverFacts) check() error {
	if !n.Address.IsValid() {
		return errors.New("a nameserver has no address")
	}
	within := func(whole int, parts ...int) bool {
		return !slices.ContainsFunc(parts, func(part int) bool { return part < 0 || part > whole })
	}
	if p := n.Paired; p != nil && (!within(mostCounted, p.Pairs) || !within(p.Pairs, p.Half, p.None, p.Failing) || !within(p.Pairs, p.Half+p.None, p.Half+p.None+p.Known) || p.Known < 0 || !within(p.Half+p.None, p.Recovered)) {
		return fmt.Errorf("the pairs of queries to %s do not add up", n.Address)
	}
	if s := n.Single; s != nil && (!within(mostCounted, s.Queries) || !within(s.Queries, s.Lost) || !within(s.Lost, s.Recovered)) {
		return fmt.Errorf("the single queries to %s do not add up", n.Address)
	}
	return nil
}
