package server

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kube-lifeline/lifeline/checks"
	"github.com/kube-lifeline/lifeline/checks/text"
)

func (d *document) checks(report *checks.Report, now time.Time) {
	if len(report.Checks) == 0 {
		return
	}
	d.write("<section id=\"checks\" aria-labelledby=\"checks-title\">\n<h2 id=\"checks-title\">Checks</h2>\n")
	for _, result := range report.Checks {
		d.check(result, now)
	}
	d.write("</section>\n")
}

func (d *document) check(result checks.Result, now time.Time) {
	name, status := string(result.Name), string(result.Status)
	d.write(`<article id="check-%" class="check %" data-check="%">
<h3><span class="mark" aria-hidden="true">%</span> % <span class="status">%</span></h3>
`, name, status, name, mark(result.Status), name, status)
	d.since(result)
	d.write("<p>%</p>\n", result.Message)
	d.circumstances(result)
	d.details(result, now)
	d.write("</article>\n")
}

func (d *document) since(result checks.Result) {
	if result.Since.IsZero() {
		return
	}
	d.write("<p class=\"since faint\">since ")
	d.time(result.Since)
	if result.Consecutive > 1 {
		d.write(", % rounds", strconv.FormatUint(result.Consecutive, 10))
	}
	d.write("</p>\n")
}

// circumstances tell more of a check that does not pass.
func (d *document) circumstances(result checks.Result) {
	if result.Status == checks.OK && len(result.Others) == 0 {
		return
	}
	d.write("<dl>\n")
	switch {
	case result.WaitsFor != "":
		d.row("waits for", string(result.WaitsFor))
	case result.Reason != "":
		d.write("<div><dt>reason</dt><dd><code>%</code></dd></div>\n", string(result.Reason))
	}
	if result.Status != checks.OK {
		d.row("expected", result.Expected)
		d.row("found", result.Found)
	}
	for _, other := range result.Others {
		d.write("<div><dt>also</dt><dd><code>%</code> %</dd></div>\n", string(other.Reason), other.Message)
	}
	d.write("</dl>\n")
}

// details are folded where the check passes.
func (d *document) details(result checks.Result, now time.Time) {
	var inside document
	switch details := result.Details.(type) {
	case *checks.EnvironmentDetails:
		inside.environment(details)
	case *checks.DNSDetails:
		inside.dns(details)
	case *checks.TokenDetails:
		inside.token(details)
	case *checks.CADetails:
		inside.authorities(details, now)
	case *checks.TLSDetails:
		inside.handshake(details, now)
	case *checks.APIDetails:
		inside.roundTrips(details)
	case *checks.KubectlProxyDetails:
		inside.attempt(&details.Attempt)
	}
	if inside.content.Len() == 0 {
		return
	}
	open := markup("")
	if result.Status.Severity() > 0 {
		open = " open"
	}
	d.write(`<details id="details-%"`, string(result.Name))
	d.write(open)
	d.write(">\n<summary>Details of %</summary>\n", string(result.Name))
	d.write(markup(inside.content.String()))
	d.write("</details>\n")
}

func (d *document) environment(details *checks.EnvironmentDetails) {
	d.write("<dl>\n")
	d.row("KUBERNETES_SERVICE_HOST", details.ServiceHost)
	d.row("KUBERNETES_SERVICE_PORT", details.ServicePort)
	d.row("proxy for the API", details.ProxyForAPI)
	d.row("NO_PROXY", details.NoProxy)
	d.row("namespace", details.Namespace)
	d.write("</dl>\n")
}

func (d *document) dns(details *checks.DNSDetails) {
	conf := details.ResolvConf
	d.write("<dl>\n")
	d.row("nameservers", joined(conf.Nameservers))
	d.row("search", strings.Join(conf.Search, " "))
	d.row("ndots", strconv.Itoa(conf.Ndots))
	d.row("addresses", joined(details.Lookup.Addresses))
	if details.Lookup.FromHosts {
		d.row("answered by", details.HostsFile.Path)
	}
	d.write("</dl>\n")
	queries := details.Lookup.Queries
	if details.ServiceHost != nil {
		queries = append(queries[:len(queries):len(queries)], details.ServiceHost.Queries...)
	}
	if len(queries) == 0 {
		return
	}
	d.write("<ul class=\"answers\">\n")
	for _, query := range queries[:min(len(queries), maxShown)] {
		d.write("<li><strong>%</strong> <span>% %</span> <span>%</span> <span class=\"faint\">%, %</span></li>\n", query.Nameserver.String(),
			query.Type, query.Name, answerOf(query), query.Transport, text.Duration(query.Seconds))
	}
	d.write("</ul>\n")
	d.more(len(queries))
}

// maxShown is how many of what may be many the page shows; the JSON has all.
const maxShown = 12

func (d *document) more(count int) {
	if count > maxShown {
		d.write("<p class=\"faint\">% more are in the JSON.</p>\n", strconv.Itoa(count-maxShown))
	}
}

func answerOf(query checks.Query) string {
	switch {
	case query.Failure != nil:
		return query.Failure.Message
	case len(query.Addresses) > 0:
		return joined(query.Addresses)
	case query.Rcode == "NOERROR":
		return "no such record"
	default:
		return query.Rcode
	}
}

func joined(addresses []netip.Addr) string {
	texts := make([]string, len(addresses))
	for i, address := range addresses {
		texts[i] = address.String()
	}
	return strings.Join(texts, ", ")
}

func (d *document) token(details *checks.TokenDetails) {
	if details.Claims == nil {
		d.write("<dl>\n")
		d.row("file", details.File.Path)
		d.row("problem", string(details.File.Problem))
		d.row("not a JWT", details.DecodeError)
		d.write("</dl>\n")
		return
	}
	claims := details.Claims
	d.age(details)
	d.write("<dl>\n")
	d.row("subject", claims.Subject)
	d.row("audience", strings.Join(claims.Audience, ", "))
	d.row("issuer", claims.Issuer)
	d.moment("issued", claims.IssuedAt)
	d.moment("written by kubelet", details.WrittenAt)
	d.moment("rotation due", details.RotationDueAt)
	d.moment("expires", claims.ExpiresAt)
	d.write("</dl>\n")
}

// moment is a row with a point in time, or nothing.
func (d *document) moment(term string, at time.Time) {
	if !at.IsZero() {
		d.row(term, text.Time(at))
	}
}

// age shows a token's age on a bar from its issue to its end, with the time at
// which it is to be replaced.
func (d *document) age(details *checks.TokenDetails) {
	issued, due, end := details.Claims.IssuedAt, details.RotationDueAt, details.Claims.RequestedEnd()
	whole := max(end.Sub(issued).Seconds(), details.AgeSeconds)
	if due.IsZero() || whole <= 0 || details.AgeSeconds < 0 {
		return
	}
	rotation := due.Sub(issued).Seconds()
	sentence := "The token is " + span(seconds(details.AgeSeconds)) + " old; it is to be replaced at " + span(seconds(rotation)) +
		" and was asked for to last " + span(end.Sub(issued)) + "."
	d.bar(sentence, []part{{"age", details.AgeSeconds / whole}}, rotation/whole)
}

func seconds(count float64) time.Duration { return time.Duration(count * float64(time.Second)) }

func (d *document) authorities(details *checks.CADetails, now time.Time) {
	for i, block := range details.Blocks[:min(len(details.Blocks), maxShown)] {
		if block.Certificate != nil {
			d.certificate(*block.Certificate, now)
		}
		if block.Error != "" {
			d.write("<p>Block % is not used: %</p>\n", strconv.Itoa(i+1), block.Error)
		}
	}
	d.more(len(details.Blocks))
}

func (d *document) certificate(certificate checks.Certificate, now time.Time) {
	d.write("<p><strong>%</strong> <span class=\"faint\">%</span></p>\n", certificate.Subject, certificate.PublicKey)
	left := certificate.LifetimeLeft(now)
	sentence, class := "It ended at "+text.Time(certificate.NotAfter)+".", markup("over")
	if left > 0 {
		class = "age"
		sentence = strconv.FormatFloat(100*left, 'f', 0, 64) + " % of its life is left, " + span(certificate.NotAfter.Sub(now)) +
			" until " + text.Time(certificate.NotAfter) + "."
	}
	d.bar(sentence, []part{{class, 1 - left}}, -1)
}

func (d *document) handshake(details *checks.TLSDetails, now time.Time) {
	for _, certificate := range details.Chain[:min(len(details.Chain), maxShown)] {
		d.certificate(certificate, now)
	}
	d.more(len(details.Chain))
	if len(details.Facets) > 0 {
		d.write("<ul class=\"facets\">\n")
		for _, facet := range details.Facets {
			status := checks.OK
			if !facet.OK {
				status = checks.Fail
			}
			d.write("<li class=\"%\"><span class=\"mark\" aria-hidden=\"true\">%</span> <strong>%</strong> <span class=\"unseen\">%</span> <span>%</span>",
				string(status), mark(status), facet.Name, string(status), facet.Found)
			if !facet.OK {
				d.write(" <span class=\"faint\">expected: %</span>", facet.Expected)
			}
			d.write("</li>\n")
		}
		d.write("</ul>\n")
	}
	d.write("<dl>\n")
	d.row("proves", details.ServerName)
	d.row("version", strings.TrimSpace(details.Version+" "+details.CipherSuite))
	d.write("</dl>\n")
}

func (d *document) roundTrips(details *checks.APIDetails) {
	d.attempt(details.ServiceHost)
	d.attempt(details.ByName)
	d.write("<dl>\n")
	if skew := details.ClockSkewSeconds; skew != nil {
		d.row("clock", "the API server's less the pod's: "+strconv.FormatFloat(*skew, 'f', 1, 64)+"s")
	}
	if kept := details.LongLived; kept != nil && !kept.MadeAt.IsZero() {
		d.row("kept connection", "made "+text.Time(kept.MadeAt)+", answered "+strconv.Itoa(kept.Requests)+" times")
	}
	d.moment("held until", details.HeldUntil)
	d.write("</dl>\n")
}

// attempt shows where the time of a round trip went.
func (d *document) attempt(attempt *checks.Attempt) {
	if attempt == nil {
		return
	}
	last := attempt.Last()
	d.write("<p><strong>%</strong></p>\n", attempt.URL)
	d.phases(last.Phases)
	d.write("<dl>\n")
	if response := last.Response; response != nil {
		d.row("status", strconv.Itoa(response.Status))
		d.row("Audit-Id", response.AuditID)
	}
	if last.Failure != nil {
		d.row("stage", string(last.Stage))
		d.row("failure", last.Failure.Message)
	}
	if tries := len(attempt.Exchanges); tries > 1 {
		d.row("tries", strconv.Itoa(tries))
	}
	d.write("</dl>\n")
}

func (d *document) phases(phases checks.Phases) {
	named := []struct {
		name    string
		class   markup
		seconds float64
	}{
		{"connect", "connect", phases.ConnectSeconds},
		{"TLS", "tls", phases.TLSSeconds},
		{"first byte", "first-byte", phases.FirstByteSeconds},
		{"body", "body", phases.BodySeconds},
	}
	whole := phases.Seconds()
	if whole <= 0 {
		return
	}
	var parts []part
	d.write("<ul class=\"legend\">\n")
	for _, phase := range named {
		parts = append(parts, part{phase.class, phase.seconds / whole})
		d.write("<li><span class=\"")
		d.write(phase.class)
		d.write("\" aria-hidden=\"true\"></span> % %</li>\n", phase.name, text.Duration(phase.seconds))
	}
	d.write("</ul>\n")
	d.bar("The round trip took "+text.Duration(whole)+".", parts, -1)
}
