# Everything here is a short name for a command that works without make.

# The race detector needs cgo, and so a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)
LDFLAGS := -s -w

.PHONY: build test test-long lint bench soak browser fleet cluster diagnosis alerts watch fleet-cluster cluster-up cluster-down fuzz chart sandbox clean

build: ## the binary, stripped, as it ships
	CGO_ENABLED=0 go build -trimpath -tags nethttpomithttp2 -ldflags "$(LDFLAGS)" -o lifeline ./agent

# The tests of e2e build the agent and run it, which Go's cache of test results
# does not see, hence -count=1.
test: ## all tests; those in Chromium where it is installed, those on a real Kubernetes where this is Linux and root
	go test -count=1 $(RACE) ./...
	.ci/browser
	.ci/cluster

test-long: ## the tests on a real Kubernetes, with those that wait for a token to be rotated, and for alerts
	.ci/cluster -long

sandbox: ## the agent in a pretend pod, with faults to switch on
	go run ./e2e/sandbox

lint: ## format, vet, static checks, known vulnerabilities
	.ci/lint

chart: ## lint the chart and render it in both kinds
	.ci/chart

soak: ## an hour in the sandbox with faults that come and go at random
	go test ./e2e/soak -v -timeout 2h -duration 1h

FLEET := 10000
fleet: ## FLEET agents in virtual time: what they ask of the API server, steady, restarted, and as it goes and comes back
	go test ./e2e/fleet -count=1 -v -timeout 1h -agents $(FLEET) -gone 10m

SCREENSHOTS := $(CURDIR)/dist/screenshots
browser: ## the tests of the status page in Chromium alone, and pictures of it in SCREENSHOTS
	.ci/browser -screenshots "$(SCREENSHOTS)"

cluster: ## the tests on a real Kubernetes alone, told one by one; see e2e/cluster/README.md
	go -C e2e/cluster test -count=1 -v -parallel 4 -timeout 40m ./suite

diagnosis: ## the faults on a real Kubernetes alone, and the score of how they were told
	.ci/cluster diagnosis

alerts: ## a pod, a node and the cluster break on a real Kubernetes, and Prometheus tells which, as long as that takes
	.ci/cluster alerts

WATCH := 30m
watch: ## a healthy cluster for WATCH, to which one thing after another happens; nothing false may be said
	.ci/cluster watch $(WATCH)

AGENTS := 1000
fleet-cluster: ## what AGENTS agents cost a real API server
	.ci/cluster fleet $(AGENTS)

cluster-up: ## a real Kubernetes with Lifeline in it, to look at; Linux and root
	go -C e2e/cluster run ./playground up

cluster-down: ## end it
	go -C e2e/cluster run ./playground down

bench: ## the budgets, each beside its floor
	go test -run '^$$' -bench . -benchmem ./...

FUZZTIME := 10s
fuzz: ## every fuzz test for FUZZTIME
	.ci/fuzz $(FUZZTIME)

clean:
	rm -rf lifeline dist
