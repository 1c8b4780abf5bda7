# Everything here is a short name for a command that works without make.

# The race detector needs cgo, and so a C compiler.
RACE := $(if $(shell command -v gcc || command -v clang),-race)
LDFLAGS := -s -w

.PHONY: build test lint bench soak cluster fuzz chart sandbox clean

build: ## the binary, stripped, as it ships
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o lifeline ./agent

# The tests of e2e build the agent and run it, which Go's cache of test results
# does not see, hence -count=1.
test: ## all tests
	go test -count=1 $(RACE) ./...

sandbox: ## the agent in a pretend pod, with faults to switch on
	go run ./e2e/sandbox

lint: ## format, vet, static checks, known vulnerabilities
	.ci/lint

chart: ## lint the chart and render it in both kinds
	.ci/chart

soak: ## an hour in the sandbox with faults that come and go at random
	go test ./e2e/soak -v -timeout 2h -duration 1h

cluster: ## the agent in a pod of a real Kubernetes; Linux and root, see e2e/cluster/README.md
	go -C e2e/cluster test -v -timeout 30m ./...

bench: ## the budgets, each beside its floor
	go test -run '^$$' -bench . -benchmem ./...

FUZZTIME := 10s
fuzz: ## every fuzz test for FUZZTIME
	.ci/fuzz $(FUZZTIME)

clean:
	rm -rf lifeline dist
