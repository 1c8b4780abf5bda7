package server

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kube-lifeline/lifeline/checks"
)

func unmarshal(t *testing.T, document string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("status.schema.json", unmarshal(t, StatusSchema())); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("status.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// everything is a report in which every field of every type has a value, so
// that a field which the schema does not know is found.
func everything() *checks.Report {
	report := &checks.Report{}
	fill(reflect.ValueOf(report).Elem())
	report.APIVersion, report.Status = checks.APIVersion, checks.Warn
	report.Diagnosis[0].Severity, report.Diagnosis[0].Certainty = checks.Fail, checks.Likely
	report.Checks = nil
	for _, details := range []struct {
		name    checks.Name
		details any
	}{
		{checks.Environment, &checks.EnvironmentDetails{}},
		{checks.DNS, &checks.DNSDetails{}},
		{checks.Token, &checks.TokenDetails{}},
		{checks.CA, &checks.CADetails{}},
		{checks.TLS, &checks.TLSDetails{}},
		{checks.API, &checks.APIDetails{}},
		{checks.KubectlProxy, &checks.KubectlProxyDetails{}},
	} {
		result := checks.Result{}
		fill(reflect.ValueOf(&result).Elem())
		fill(reflect.ValueOf(details.details).Elem())
		result.Name, result.Status, result.Details = details.name, checks.Skip, details.details
		report.Checks = append(report.Checks, result)
	}
	return report
}

// fill gives a value to everything below v. What has a set of values of its
// own gets one of them.
func fill(v reflect.Value) {
	for _, value := range []any{
		time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC), netip.MustParseAddr("10.96.0.1"), netip.MustParseAddrPort("[fd00::1]:443"),
		checks.Fail, checks.TimedOut, checks.FileMissing, checks.StageDone, checks.API, checks.WaitsFor,
	} {
		if v.Type() == reflect.TypeOf(value) {
			v.Set(reflect.ValueOf(value))
			return
		}
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
		if certificate, ok := v.Addr().Interface().(*checks.Certificate); ok {
			certificate.SHA256 = strings.Repeat("0f", 32)
		}
		if query, ok := v.Addr().Interface().(*checks.Query); ok {
			query.Transport = "udp"
		}
	case reflect.Interface:
	default:
		panic(fmt.Sprintf("fill knows no %s", v.Type()))
	}
}

func TestEveryReportIsAsTheSchemaSays(t *testing.T) {
	schema := compileSchema(t)
	bare := &checks.Report{APIVersion: checks.APIVersion, Status: checks.OK, Round: 1}
	for _, details := range []any{
		nil, &checks.EnvironmentDetails{}, &checks.DNSDetails{}, &checks.TokenDetails{}, &checks.CADetails{}, &checks.TLSDetails{},
		&checks.APIDetails{APIFacts: checks.APIFacts{ServiceHost: &checks.Attempt{}}}, &checks.KubectlProxyDetails{},
	} {
		name := checks.Name("none")
		if details != nil {
			name = checks.Names()[len(bare.Checks)-1]
		}
		bare.Checks = append(bare.Checks, checks.Result{Name: name, Status: checks.OK, Details: details})
	}
	bare.Diagnosis = []checks.Finding{{Reason: checks.TCPReset, Certainty: checks.Likely, Severity: checks.Warn}}

	for name, report := range map[string]*checks.Report{
		"before the first round": nil,
		"healthy":                healthy(),
		"failing":                failing(),
		"nothing observed":       bare,
		"everything":             everything(),
	} {
		t.Run(name, func(t *testing.T) {
			s := New(Options{})
			if report != nil {
				s.Publish(report)
				s.Publish(failing())
				s.Publish(report)
			}
			if err := schema.Validate(unmarshal(t, get(t, s, "/status").Body.String())); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheSchemaRefusesWhatIsNotOfAReport(t *testing.T) {
	schema := compileSchema(t)
	past := newHistory(begun(), time.Minute)
	past.add(begun(), failing())
	good := string(withHistory(JSON(failing()), past.view(begun())))
	for name, change := range map[string][2]string{
		"a field that is not known":           {`"round": 721`, `"round": 721, "more": 1`},
		"a field of a result":                 {`"name": "tls",`, `"name": "tls", "more": 1,`},
		"a detail":                            {`"answered": false`, `"answered": false, "more": 1`},
		"another version":                     {`"lifeline/v1"`, `"lifeline/v2"`},
		"another status":                      {`"status": "skip"`, `"status": "skipped"`},
		"no time":                             {`"2026-05-04T03:12:45Z"`, `"today"`},
		"a cause of an episode":               {`"title":"`, `"more":1,"title":"`},
		"no list":                             {`"access": [`, `"access": null, "more": [`},
		"a check skipped for nothing":         {`"waitsFor": "api",`, ``},
		"a check that fails without a reason": {`"reason": "tcp-timeout",`, ``},
		"a reason that is a sentence":         {`"reason": "tcp-timeout"`, `"reason": "TCP timed out"`},
	} {
		changed := strings.Replace(good, change[0], change[1], 1)
		if changed == good {
			t.Errorf("%s: the report has no %s", name, change[0])
		}
		if schema.Validate(unmarshal(t, changed)) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestTheSchemaKnowsNoFieldThatReportsDoNotHave(t *testing.T) {
	var past History
	fill(reflect.ValueOf(&past).Elem())
	body := withHistory(JSON(everything()), past)
	var missing []string
	var visit func(node any)
	visit = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if properties, ok := node["properties"].(map[string]any); ok {
				for _, name := range slices.Sorted(maps.Keys(properties)) {
					if !bytes.Contains(body, []byte(`"`+name+`":`)) {
						missing = append(missing, name)
					}
				}
			}
			for _, child := range node {
				visit(child)
			}
		case []any:
			for _, child := range node {
				visit(child)
			}
		}
	}
	visit(unmarshal(t, StatusSchema()))
	if missing != nil {
		t.Errorf("no report has %q", missing)
	}
}
