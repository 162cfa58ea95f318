# "make" alone says what there is.
SHELL := /bin/bash -euo pipefail
MAKEFLAGS += --no-builtin-rules
export GOTOOLCHAIN := local
export CGO_ENABLED := 0

GO        ?= go
# What is built says nothing of where the checkout lies, so the same sources make the same program, and a fresh clone finds
# in Go's cache what another one compiled. Builds, linters and tests all use these flags: nothing compiles twice.
export GOFLAGS := $(strip $(filter-out -trimpath,$(shell $(GO) env GOFLAGS)) -trimpath)

DATA      ?= ./data
TESTFLAGS ?=
FUZZTIME  ?= 10s

# Modules below this one, such as ./bench: each with its own go.mod.
NESTED := $(shell find . -mindepth 2 -name go.mod -not -path '*/testdata/*' -not -path './data/*' | sed 's|/go.mod$$||' | sort)
NESTED_TESTS := $(NESTED:./%=in/%)
# SQLite is C, translated to Go: all of its memory lies outside of what the race detector watches. Argon2 works on memory that
# it shares with nobody. Instrumented they find nothing more and take four times as long.
RACE := -race $(patsubst %,-gcflags=%=-race=false,modernc.org/sqlite/lib modernc.org/libc modernc.org/memory golang.org/x/crypto/argon2)
# Vetting is up to "make lint". Without symbols for a debugger, which stack traces do without, linking takes two thirds of the time.
TEST := $(GO) test -vet=off -ldflags='-s -w'
# Each process sleeps so long before it exits, for reports that are under way; a second if this were not said.
GORACE ?= atexit_sleep_ms=100
# Packages whose tests only start the program, as "make build" makes it, and drive it from outside. Nothing of the product runs
# in their own processes but the client's requests, so the race detector would watch the tests, and slow what they drive.
OUTSIDE := internal/consistency internal/e2e
# Modules whose tests are one person after the other at a browser. What serves them is watched where many ask at once, by the tests of
# internal/console, internal/identity and internal/acceptance.
ONE_BY_ONE := ./e2e/console
STATICCHECK := $(GO) tool -modfile=$(CURDIR)/tools/lint.mod staticcheck

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## bin/counterfoil, one static binary
	$(GO) build -ldflags='-s -w' -o bin/counterfoil ./cmd/counterfoil

SPLUNK_OUT ?= bin
.PHONY: splunk-addon
splunk-addon: ## bin/TA-counterfoil-VERSION.spl, the add-on that Splunk installs; the same sources make the same bytes
	@mkdir -p $(SPLUNK_OUT); version=$$(sed -n 's/^version = //p' integrations/splunk/TA-counterfoil/default/app.conf); \
	file=$(SPLUNK_OUT)/TA-counterfoil-$$version.spl; \
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' --format=ustar --exclude=__pycache__ \
		-C integrations/splunk -cf - TA-counterfoil | gzip -9n >$$file; echo $$file

.PHONY: run
run: build ## build, then serve on SQLite in ./data (DATA=…) with a token ready to use
	bin/counterfoil quickstart --data $(DATA)

.PHONY: test
test: ## everything that must pass: what the tests need, the linters, all tests with the race detector
	@tools/test.sh deps lint test-race test-rest

.PHONY: deps
deps: ## install what the tests need and this machine lacks: PostgreSQL, nginx, gcc, Python 3, Chromium
	@tools/deps.sh

.PHONY: lint
lint: lint-format lint-templ lint-vet lint-static ## gofmt, fresh pages, go vet, staticcheck

.PHONY: lint-format
lint-format:
	@files=$$(find . -name '*.go' -not -path '*/testdata/*' -not -path './data/*' -print0 | xargs -0 gofmt -l); \
	if [ -n "$$files" ]; then printf 'not formatted, run gofmt -w on:\n%s\n' "$$files" >&2; exit 1; fi

.PHONY: lint-templ
lint-templ:
	@sum() { cat internal/console/*_templ.go | sha256sum; }; before=$$(sum); \
	$(GO) tool -modfile=tools/templ.mod templ generate -path internal/console -log-level warn; \
	if [ "$$(sum)" != "$$before" ]; then echo 'the pages were not generated from their templates; now they are: commit them' >&2; exit 1; fi

.PHONY: lint-vet
lint-vet:
	@for dir in . $(NESTED); do (cd $$dir && $(GO) vet ./...); done

.PHONY: lint-static
lint-static:
	@for dir in . $(NESTED); do (cd $$dir && $(STATICCHECK) ./...); done

.PHONY: test-race
test-race: ## with the race detector: the tests of this module in whose processes the product runs
	CGO_ENABLED=1 GORACE='$(GORACE)' $(TEST) $(RACE) -timeout 20m $(TESTFLAGS) $$($(GO) list ./... | grep -vE '/($(subst $() ,|,$(OUTSIDE)))$$')

# Files tagged !race hold tests that the race detector distorts, such as counts of allocations, or that are much work of one
# goroutine, such as models that are asked much. These alone are run: the others have been.
.PHONY: test-norace
test-norace: ## without the race detector: what test-race leaves out
	$(TEST) -timeout 20m $(TESTFLAGS) $(addprefix ./,$(OUTSIDE))
	@files=$$($(GO) list -f '{{range .TestGoFiles}}{{$$.Dir}}/{{.}} {{end}}{{range .XTestGoFiles}}{{$$.Dir}}/{{.}} {{end}}' ./... | xargs grep -lE '^//go:build .*!race'); \
	tests=$$(sed -nE 's/^func (Test[A-Za-z0-9_]+).*/\1/p' $$files | paste -sd '|'); \
	$(TEST) -timeout 10m $(TESTFLAGS) -run "^($$tests)$$" $$(xargs -n1 dirname <<<"$$files" | sort -u)

.PHONY: test-nested
test-nested: $(NESTED_TESTS) ## the tests of the modules below this one

.PHONY: $(NESTED_TESTS)
$(NESTED_TESTS): in/%:
	@case ' $(ONE_BY_ONE) ' in *" ./$* "*) cgo=0 race= ;; *) cgo=1 race='$(RACE)' ;; esac; \
	echo "in ./$*:" && cd $* && CGO_ENABLED=$$cgo GORACE='$(GORACE)' $(TEST) $$race -timeout 20m $(TESTFLAGS) ./...

.PHONY: test-rest
test-rest: ## test-norace and test-nested at once, since each waits for much of its time
	@$(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),-O) test-norace $(NESTED_TESTS)

.PHONY: screenshots
screenshots: ## docs/images/console-*.png anew: pictures of the console's pages
	cd e2e/console && $(GO) test -count 1 -run '^TestPictures' . -args -pictures $(CURDIR)/docs/images

.PHONY: fuzz
fuzz: ## every fuzz target for 10 s (FUZZTIME=…)
	@(grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' --exclude-dir=testdata . || true) | sort | \
	while IFS=: read -r file target; do \
		target=$${target#func }; echo "== $$target in $${file%/*}"; \
		(cd "$${file%/*}" && $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) .); \
	done

.PHONY: soak
soak: ## kill the server 1000 times while clients write (KILLS=…), and judge 3000 histories of three nodes (HISTORIES=…)
	COUNTERFOIL_SOAK=$(or $(KILLS),1000) $(GO) test -count 1 -run '^TestKill$$' -timeout 3h -v ./internal/e2e
	COUNTERFOIL_HISTORIES=$(or $(HISTORIES),3000) $(GO) test -count 1 -run '^TestNodesAreOne' -timeout 3h -v ./internal/consistency

.PHONY: bench
bench: ## measure, and print ratios (BENCHFLAGS=-gate); docs/benchmarks.md says what they mean
	$(GO) run ./bench $(BENCHFLAGS)
