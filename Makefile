# Glassward. `make run` shows the main job, `make test` proves it.
SHELL := /bin/bash
GO    ?= go
BIN   := bin/glassward

.PHONY: run build compiler test chaos day lint bench cost fuzz oracle kql-figures docs clean deps release try-release

run: build ## replay a day in which a break-glass account is used
	./$(BIN) demo

build: compiler
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags "-X glassward/cli.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o $(BIN) ./cmd/glassward

# DuckDB's library is linked as C++; a machine without a C++ compiler gets one.
compiler:
	@command -v g++ >/dev/null || command -v c++ >/dev/null || { echo "installing a C++ compiler (Debian package g++)"; $(call apt,g++); }

# What tests need beside: pages are opened in Chromium and judged by axe-core, and Microsoft's own clients
# for JavaScript judge the API; npm fetches both as their lock files name them. A test that does not find
# them fails, and says that `make deps` installs them.
deps: compiler
	@command -v "$${GLASSWARD_CHROMIUM:-chromium}" >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { echo "installing Chromium (Debian package chromium)"; $(call apt,chromium); }
	@cmp -s internal/browser/npm/package-lock.json internal/browser/npm/node_modules/.installed || \
	  { echo "installing axe-core (npm)"; cd internal/browser/npm && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed; }
	@cmp -s internal/acceptance/npm/package-lock.json internal/acceptance/npm/node_modules/.installed || \
	  { echo "installing Microsoft's clients (npm)"; cd internal/acceptance/npm && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed; }
	@cmp -s internal/apidocs/npm/package-lock.json internal/apidocs/npm/node_modules/.installed || \
	  { echo "installing a judge of OpenAPI (npm)"; cd internal/apidocs/npm && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed; }

apt = (if command -v sudo >/dev/null; then s=sudo; fi; $$s apt-get install -y -q --no-install-recommends $(1) || { $$s apt-get update -q && $$s apt-get install -y -q --no-install-recommends $(1); })

# SQLite is C that was translated to Go. Like C it is not instrumented: checking each
# of its pointers and memory accesses finds nothing of ours and doubles the time of
# whatever commits. Of what is long the race detector sees a part; WHOLE is played a
# second time without it, and then it is played whole.
WHOLE := Chaos|BadTimes|ADayOfBacklog|AWeekByEveryRoad|ThreeRoadsAtOnce|Cut|TwoDaysAtOnce|ADay|KilledDaemon|KilledUpload|KilledLook|Scenarios|WebhookInBadTimes|CasesOverTheAPI|OwnTables|Scripts|NoStoryCanDoWithoutARule
test: deps
	$(GO) vet ./...
	$(GO) test -race -gcflags='modernc.org/...=-d=checkptr=0 -race=false' -timeout 90m ./...
	GOGC=300 $(GO) test -run '^Test($(WHOLE))$$' -parallel 4 -timeout 90m ./internal/acceptance

# Seeded runs in which everything happens at once, and the process dies at failpoints: `make test` plays
# 50 of them. SEEDS says how many, or from which to which (501-1000). The seed of one that fails repeats
# it, as its message says.
SEEDS ?= 1000
chaos: compiler
	GOGC=300 GLASSWARD_CHAOS_SEEDS=$(SEEDS) $(GO) test -v -parallel 6 -run '^TestChaos$$' -timeout 12h ./internal/acceptance

# A tenant's day, two million records of it, as fast as a running server takes them: forty things happen
# in it that people must be told of, and a table shows that they were, as internal/day/day.txt foretells, and
# of nothing else. `make test` plays a sample. RECORDS says how many.
RECORDS ?= 2000000
day: build
	$(GO) run ./internal/bench -binary $(BIN) -day $(RECORDS)

# govulncheck needs the vulnerability database; where that cannot be reached it
# says so and the rest still counts.
lint: deps
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	@$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./... || echo "govulncheck did not finish: see above"

# Ratios to a named reference, in one run; absolute times are printed too. The
# alarm's way is measured last, against a running server with all shipped rules:
# at 2,000 records a second, with the processor's share; at half of that with a heavy
# query beside; beside 200 clients with mixed queries, a token each and one for all, against what it
# is without them; with 80 tenants of which one is in flood; and while history comes by
# a folder.
BACKFILL ?= 1000000
bench: build
	$(GO) test -run '^$$' -bench 'Ingest|Needle|Commit' -benchtime 1x -timeout 30m ./logstore
	$(GO) test -run '^$$' -bench 'Alert' -benchtime 1x -timeout 30m ./kql
	$(GO) test -run '^$$' -bench 'Queries' -benchtime 1x -timeout 60m ./logstore
	$(GO) test -run '^$$' -bench 'DecodeSignIn' ./ingest
	$(GO) test -run '^$$' -bench 'Screen|Batch|Hit' ./rule
	$(GO) test -run '^$$' -bench 'Late' -benchtime 20x -timeout 20m ./rule
	$(GO) test -run '^$$' -bench 'Commit' ./state
	$(GO) test -run '^$$' -bench 'Open' -benchtime 3x ./directory
	$(GO) test -run '^$$' -bench 'Assess' -benchtime 3x ./posture
	$(GO) test -run '^$$' -bench 'Reach|Changes|Partition' -benchtime 5x ./access
	$(GO) test -run '^$$' -bench 'WhatIf' ./access
	$(GO) test -run '^$$' -bench 'Outbox' -benchtime 1x -timeout 20m ./state
	$(GO) test -run '^$$' -bench 'Judge' -benchtime 1x -timeout 60m ./logstore
	$(GO) run ./internal/bench -binary $(BIN) -rate 2000 -no-query
	$(GO) run ./internal/bench -binary $(BIN)
	$(GO) run ./internal/bench -binary $(BIN) -clients 200 -seconds 120
	$(GO) run ./internal/bench -binary $(BIN) -clients 200 -seconds 120 -one-token
	$(GO) run ./internal/bench -binary $(BIN) -tenants 80
	$(GO) run ./internal/bench -binary $(BIN) -backfill $(BACKFILL)

# How the cost of queries grows with the tables, from 1 to 30 million records; some minutes and 4 GB of
# the folder of temporary files.
cost: compiler
	GLASSWARD_COST=$(CURDIR)/docs/query-cost.md $(GO) test -run '^$$' -bench 'Growth' -benchtime 1x -timeout 60m ./logstore

# The documentation that is made from the code.
docs:
	$(GO) run ./internal/kqldocs > docs/kql-support.md
	$(GO) run ./internal/ruledocs > docs/detections.md
	$(GO) run ./internal/healthdocs > docs/health.md
	$(GO) run ./internal/apidocs

# How much of KQL stands: cases by feature, refusals, published rules and queries. The material is other
# people's and lies beside the repository; MATERIAL names its folder.
MATERIAL ?= ../shared/kql
kql-figures: compiler
	@$(GO) run ./internal/kqlfigures -material $(MATERIAL)

# Each fuzz test for FUZZTIME.
FUZZTIME ?= 30s
fuzz: compiler
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

# Microsoft's own parser and type checker of KQL judges ours, with many thousand
# queries: what is refused, and the names, order and types of result columns.
# Node runs it; npm fetches it. `make test` asks a sample.
oracle: compiler
	$(GO) run ./internal/oracle $(ORACLE)

# The programs of a release with their bills of materials (CycloneDX), what is
# needed to install them, and the checksums of it all. packaging/cross.sh installs
# the cross compilers. The same commit and compilers give the same bytes.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
TARGETS ?= linux-amd64 linux-arm64 windows-amd64
release:
	@rm -rf dist && mkdir -p dist
	@for t in $(TARGETS); do \
	  out=dist/glassward-$(VERSION)-$$t; case $$t in windows-*) out=$$out.exe;; esac; \
	  echo "building $$out"; \
	  VERSION=$(VERSION) GO="$(GO)" bash packaging/cross.sh $${t%-*} $${t#*-} $$out || exit 1; \
	  $(GO) run ./internal/sbom -version $(VERSION) -time $$(git log -1 --format=%ct) $$out > $$out.cdx.json || exit 1; \
	done
	@cp packaging/systemd/glassward.service packaging/systemd/glassward.sysusers.conf packaging/container/Containerfile dist/
	@cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS
	@$(MAKE) --no-print-directory try-release

# Runs each program where this machine can: by itself, by qemu, by Wine.
try-release:
	@for f in dist/glassward-*; do case $$f in \
	  *.cdx.json) ;; \
	  *-linux-amd64) echo "$$f:"; $$f version;; \
	  *-linux-arm64) if q=$$(command -v qemu-aarch64-static); then echo "$$f, by qemu:"; $$q -L /usr/aarch64-linux-gnu $$f version; else echo "$$f: not run, qemu-aarch64-static is not here"; fi;; \
	  *.exe) if w=$$(command -v wine64 || command -v wine || command -v /usr/lib/wine/wine64); then echo "$$f, by Wine:"; WINEDEBUG=-all $$w $$f version || echo "$$f: this Wine cannot run it (Go needs Wine 9 or newer)"; else echo "$$f: not run, Wine is not here"; fi;; \
	esac; done

clean:
	rm -rf bin dist
