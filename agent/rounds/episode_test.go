package rounds

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-lifeline/lifeline/checks"
)

// staged is an observer of a pod in which something is wrong by the clock.
type staged struct {
	start time.Time
	// status is that of the environment check at a time since the start.
	status func(since time.Duration) checks.Status
	// proxy is on the way to the API server, where there is one.
	proxy string
	// takes is how long the deep probes take.
	takes time.Duration
	// probed are the times since the start at which they began.
	probed []time.Duration
	// spared is how many of them left the API server alone.
	spared int
}

func (s *staged) Observe(context.Context) *checks.Facts {
	environment := &checks.EnvironmentFacts{ServiceHost: "10.96.0.1", ServicePort: "443", Namespace: "shop", HTTPSProxy: s.proxy}
	switch s.status(time.Since(s.start)) {
	case checks.Fail:
		environment.ServiceHost = ""
	case checks.Warn:
		environment.ServiceAddress = "10.96.0.2"
	}
	skipped := slices.DeleteFunc(checks.Names(), func(name checks.Name) bool { return name == checks.Environment })
	return &checks.Facts{Time: time.Now(), Skipped: skipped, Environment: environment}
}

func (s *staged) DeepDNS(ctx context.Context, facts *checks.Facts) *checks.DeepFacts {
	s.spared++
	return s.Deep(ctx, facts)
}

func (s *staged) Deep(ctx context.Context, _ *checks.Facts) *checks.DeepFacts {
	began := time.Now()
	s.probed = append(s.probed, began.Sub(s.start))
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	return &checks.DeepFacts{Time: began}
}

func TestDeepProbesAreMadeAtTheStartOfAnEpisodeAndSeldomAfter(t *testing.T) {
	between := func(from, to time.Duration, status checks.Status) func(time.Duration) checks.Status {
		return func(since time.Duration) checks.Status {
			if since >= from && since < to {
				return status
			}
			return checks.OK
		}
	}
	for _, test := range []struct {
		name   string
		status func(time.Duration) checks.Status
		proxy  string
		takes  time.Duration
		want   []time.Duration
		// most is in the place of want where the times do not matter.
		most int
	}{
		{"a pod that is well", between(0, 0, checks.Fail), "", 0, nil, 0},
		{"a failing that lasts", between(0, time.Hour, checks.Fail), "", time.Second, []time.Duration{0, 0, 7 * time.Minute}, 0},
		{"a warning that lasts", between(0, time.Hour, checks.Warn), "", time.Second, []time.Duration{0, 0}, 0},
		{"a proxy on the way", between(0, 0, checks.Fail), "http://10.1.1.1:3128", time.Second, []time.Duration{0, 0, 7 * time.Minute}, 0},
		{"a proxy on the way beside another warning", between(0, time.Hour, checks.Warn), "http://10.1.1.1:3128", time.Second, []time.Duration{0, 0, 7 * time.Minute}, 0},
		{"two episodes", func(since time.Duration) checks.Status {
			if since < 30*time.Second || since >= 90*time.Second && since < 2*time.Minute {
				return checks.Fail
			}
			return checks.OK
		}, "", time.Second, []time.Duration{0, 0, 90 * time.Second}, 0},
		{"a failing that comes and goes with every round", func(since time.Duration) checks.Status {
			if int(since/(10*time.Second))%2 == 0 {
				return checks.Fail
			}
			return checks.OK
		}, "", time.Second, nil, 15},
		{"probes that take longer than a round", between(0, time.Hour, checks.Fail), "", 9 * time.Second, []time.Duration{0, 0, 7 * time.Minute}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observer := &staged{start: time.Now(), status: test.status, proxy: test.proxy, takes: test.takes}
				ctx, cancel := context.WithTimeout(t.Context(), 13*time.Minute)
				defer cancel()
				Loop{Observer: observer, Publisher: &reports{}, Interval: 10 * time.Second, Limit: time.Minute}.Run(ctx)
				if test.most > 0 {
					if got := len(observer.probed); got == 0 || got > test.most {
						t.Errorf("probed %d times in 13 minutes, want 1 to %d: %v", got, test.most, observer.probed)
					}
					return
				}
				var got []time.Duration
				for _, began := range observer.probed {
					// A round begins up to an interval after what it sees.
					got = append(got, began.Truncate(30*time.Second))
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("deep probes were begun at (-want +got):\n%s\n%v", diff, observer.probed)
				}
			})
		})
	}
}

func TestWhatDeepProbesSawServesTheNextEpisodeOfTheSameSymptomForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEpisode(&staged{start: time.Now(), status: func(time.Duration) checks.Status { return checks.OK }}, time.Second, "web-0")
		defer e.wait()
		failing := &checks.Report{Status: checks.Fail, Checks: []checks.Result{{Name: checks.API, Status: checks.Fail}}}
		round := func(symptom symptom) *checks.DeepFacts {
			known := e.recall(symptom)
			e.goOn(t.Context(), &checks.Facts{}, symptom, failing)
			return known
		}
		const silent, refused = "api tcp-timeout", "dns dns-timeout"
		if got := round(silent); got != nil {
			t.Fatal("something is known before any probe has ended")
		}
		first := <-e.probed
		e.took(first)
		if got := round(silent); got != first {
			t.Error("what the probes saw is not known within the episode")
		}
		if got := round(refused); got != nil {
			t.Error("what the probes saw of another symptom is held for this one's")
		}
		e.took(<-e.probed)
		round(silent)
		shown := <-e.probed
		e.took(shown)
		round("")
		time.Sleep(time.Minute)
		if got := round(silent); got != shown {
			t.Error("what the probes saw is forgotten with the episode")
		}
		round("")
		late := <-e.probed
		e.took(late)
		if got := round(silent); got != shown {
			t.Error("probes that ended when all was well are preferred to those that saw what was wrong")
		}
		<-e.probed
		round("")
		time.Sleep(deepEvery + time.Second)
		if got := e.recall(silent); got != nil {
			t.Error("what the probes saw is known for longer than it is of use")
		}
	})
}

// TestProbesForWhatLastsAreSpreadOverAFleet has another symptom after a time, or the
// same go on, and the agents of a fleet with their even shares.
func TestProbesForWhatLastsAreSpreadOverAFleet(t *testing.T) {
	const interval = 15 * time.Second
	for _, test := range []struct {
		name    string
		another bool
		after   time.Duration
		// first and last are when the agents make them, from then on.
		first, last time.Duration
	}{
		{"another symptom in the next round", true, interval, 0, 0},
		{"another symptom after two intervals", true, 2 * interval, 0, 0},
		{"another symptom after a minute", true, time.Minute, 0, 30 * time.Second},
		{"another symptom after an hour", true, time.Hour, 0, 5 * time.Minute},
		{"the same symptom", false, 0, 5 * time.Minute, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failing := &checks.Report{Status: checks.Fail, Checks: []checks.Result{{Name: checks.API, Status: checks.Fail}}}
				var waited []time.Duration
				for _, share := range []float64{0, 0.25, 0.5, 0.75, 0.999} {
					observer := &staged{start: time.Now()}
					e := newEpisode(observer, interval, "")
					e.share = share
					e.goOn(t.Context(), &checks.Facts{}, "api tcp-refused", failing)
					e.took(<-e.probed)
					symptom := symptom("api tcp-refused")
					time.Sleep(test.after)
					if test.another {
						symptom = "api http-500"
					}
					began := time.Now()
					for e.goOn(t.Context(), &checks.Facts{}, symptom, failing); e.running == ""; e.goOn(t.Context(), &checks.Facts{}, symptom, failing) {
						time.Sleep(time.Second)
					}
					waited = append(waited, time.Since(began))
					<-e.probed
				}
				if first := waited[0]; first != test.first {
					t.Errorf("the first of the fleet probes after %s, want %s", first, test.first)
				}
				if last := waited[len(waited)-1]; last < test.last-2*time.Second || last > test.last+time.Second {
					t.Errorf("the last of the fleet probes after %s, want %s", last, test.last)
				}
				if !slices.IsSorted(waited) {
					t.Errorf("the fleet probes after %s, which is not by the shares", waited)
				}
			})
		})
	}
}

func TestDeepProbesLeaveAnAPIServerAloneThatAnswersAsItShould(t *testing.T) {
	for status, spared := range map[checks.Status]int{checks.OK: 1, checks.Warn: 0, checks.Fail: 0, checks.Skip: 0} {
		t.Run(string(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observer := &staged{start: time.Now()}
				e := newEpisode(observer, time.Second, "web-0")
				report := &checks.Report{Status: checks.Fail, Checks: []checks.Result{{Name: checks.DNS, Status: checks.Fail}, {Name: checks.API, Status: status}}}
				e.goOn(t.Context(), &checks.Facts{}, "dns dns-timeout", report)
				<-e.probed
				e.wait()
				if len(observer.probed) != 1 || observer.spared != spared {
					t.Errorf("got %d runs of which %d spared the API server, want 1 and %d", len(observer.probed), observer.spared, spared)
				}
			})
		})
	}
}

func TestWhatDeepProbesSawIsKnownAsLongAsTheirEpisodeLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEpisode(&staged{start: time.Now()}, time.Second, "web-0")
		warning := &checks.Report{Status: checks.Warn, Checks: []checks.Result{{Name: checks.DNS, Status: checks.Warn}}}
		defer e.wait()
		e.goOn(t.Context(), &checks.Facts{}, "dns dns-slow", warning)
		e.took(<-e.probed)
		time.Sleep(time.Hour)
		if e.goOn(t.Context(), &checks.Facts{}, "dns dns-slow", warning); e.recall("dns dns-slow") == nil {
			t.Error("a warning that lasts has lost what the probes saw")
		}
	})
}

func TestWhatProbesSawOfAProxyOutlivesTheirSymptom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEpisode(&staged{start: time.Now()}, time.Second, "web-0")
		seen := &checks.DeepFacts{Time: time.Now(), DNS: &checks.DeepDNSFacts{}, Proxy: &checks.DeepProxyFacts{Proxy: "http://10.1.1.1:3128"}}
		e.running = "environment env-http-proxy-intercepts-api"
		e.took(seen)
		want := &checks.DeepFacts{Time: seen.Time, Proxy: seen.Proxy}
		if diff := cmp.Diff(want, e.proxied); diff != "" || e.recall("dns dns-timeout") != nil {
			t.Errorf("what is known as another link fails (-want +got):\n%s", diff)
		}
		e.took(&checks.DeepFacts{Time: time.Now()})
		if e.proxied != nil {
			t.Errorf("got %+v after probes that met no proxy, want nothing", e.proxied)
		}
	})
}

func TestProbesAreMadeForEachOfSeveralFaultsInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer := &staged{start: time.Now()}
		e := newEpisode(observer, 15*time.Second, "web-0")
		defer e.wait()
		report := func(status checks.Status) *checks.Report {
			return &checks.Report{Status: status, Checks: []checks.Result{{Name: checks.API, Status: status}}}
		}
		for _, symptom := range []symptom{"api tcp-timeout", "api tls-handshake-timeout", "api http-500-internal", "api tcp-refused", "api http-401-unattributed"} {
			e.goOn(t.Context(), &checks.Facts{}, symptom, report(checks.Fail))
			e.took(<-e.probed)
			time.Sleep(15 * time.Second)
			e.goOn(t.Context(), &checks.Facts{}, "", report(checks.OK))
			time.Sleep(15 * time.Second)
		}
		if got := len(observer.probed); got != 5 {
			t.Errorf("five faults within %s were probed %d times, want once each", time.Since(observer.start), got)
		}
	})
}

func TestSymptomsThatNeverStayAreProbedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 15 * time.Second
		observer := &staged{start: time.Now()}
		e := newEpisode(observer, interval, "web-0")
		defer e.wait()
		failing := &checks.Report{Status: checks.Fail, Checks: []checks.Result{{Name: checks.API, Status: checks.Fail}}}
		for round := range burstIntervals {
			e.goOn(t.Context(), &checks.Facts{}, symptom("api "+string(rune('a'+round))), failing)
			if e.running != "" {
				e.took(<-e.probed)
			}
			e.goOn(t.Context(), &checks.Facts{}, "", &checks.Report{Status: checks.OK})
			time.Sleep(interval - time.Second)
		}
		if got := len(observer.probed); got != ceiling {
			t.Errorf("%d symptoms in %s were probed %d times, want %d", burstIntervals, time.Since(observer.start), got, ceiling)
		}
	})
}

// TestAnOutageAfterALongWarningIsProbedAtOnce has the last agent of a fleet, which would
// wait for the longest.
func TestAnOutageAfterALongWarningIsProbedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer := &staged{start: time.Now()}
		e := newEpisode(observer, 15*time.Second, "")
		e.share = 0.999
		defer e.wait()
		warned := &checks.Report{Status: checks.Warn, Checks: []checks.Result{{Name: checks.Token, Status: checks.Warn}}}
		e.goOn(t.Context(), &checks.Facts{}, "token token-subpath-frozen", warned)
		e.took(<-e.probed)
		time.Sleep(time.Hour)
		failing := &checks.Report{Status: checks.Fail, Checks: []checks.Result{{Name: checks.API, Status: checks.Fail}}}
		if e.goOn(t.Context(), &checks.Facts{}, "api tcp-timeout", failing); e.running == "" {
			t.Fatal("no probes are made as the outage begins")
		}
		<-e.probed
	})
}

func TestASymptomIsAllThatIsGravest(t *testing.T) {
	result := func(name checks.Name, status checks.Status, reason checks.Reason) checks.Result {
		return checks.Result{Name: name, Status: status, Reason: reason}
	}
	report := &checks.Report{Status: checks.Fail, Checks: []checks.Result{
		result(checks.DNS, checks.Fail, checks.DNSTimeout), result(checks.Token, checks.Warn, checks.TokenSubPathFrozen),
		result(checks.TLS, checks.Skip, checks.WaitsFor), result(checks.API, checks.Fail, checks.TCPTimeout),
	}}
	if got, want := symptomOf(report), symptom("dns dns-timeout\napi tcp-timeout"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := symptomOf(&checks.Report{Status: checks.OK, Checks: []checks.Result{result(checks.API, checks.OK, "")}}); got != "" {
		t.Errorf("got %q of a pod that is well, want nothing", got)
	}
}

func TestWhatProbesSawOfASymptomTellsOfOthersOfItsLinks(t *testing.T) {
	const dns, api, tls, both = symptom("dns dns-timeout"), symptom("api tcp-timeout"), symptom("tls tls-handshake-timeout"), symptom("dns dns-timeout\napi tcp-timeout")
	for _, test := range []struct {
		shown, of symptom
		want      bool
	}{
		{dns, dns, true},
		{api, tls, true},
		{tls, api, true},
		{both, api, true},
		{both, dns, true},
		{api, both, true},
		{dns, api, false},
		{api, dns, false},
		{dns, both, false},
		{"token token-expired", api, false},
		{api, "api tcp-timeout\nkubectl-proxy kproxy-timeout", true},
		{api, "", false},
	} {
		if got := test.shown.tellsOf(test.of); got != test.want {
			t.Errorf("%q tells of %q: got %t, want %t", test.shown, test.of, got, test.want)
		}
	}
}
