# Glassward. `make run` shows the main job, `make test` proves it.
SHELL := /bin/bash
GO    ?= go
BIN   := bin/glassward

.PHONY: run build test lint bench fuzz clean deps

run: build ## replay a day in which a break-glass account is used
	./$(BIN) demo

build: deps
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags "-X glassward/cli.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev)" -o $(BIN) ./cmd/glassward

# DuckDB's library is linked as C++; a machine without a C++ compiler gets one.
deps:
	@command -v g++ >/dev/null || command -v c++ >/dev/null || { echo "installing a C++ compiler (Debian package g++)"; (command -v sudo >/dev/null && sudo apt-get install -y -q g++) || (apt-get update -q && apt-get install -y -q g++); }

test: deps
	$(GO) vet ./...
	$(GO) test -race -timeout 14m ./...

# govulncheck needs the vulnerability database; where that cannot be reached it
# says so and the rest still counts.
lint: deps
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "gofmt these files"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
	@$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.8.0 ./... || echo "govulncheck did not finish: see above"

# Ratios to a named reference, in one run; absolute times are printed too. The
# alarm's way is measured last, against a running server.
bench: build
	$(GO) test -run '^$$' -bench 'Ingest|Needle|Commit' -benchtime 1x -timeout 30m ./logstore
	$(GO) test -run '^$$' -bench 'DecodeSignIn' ./ingest
	$(GO) test -run '^$$' -bench 'Screen|Batch|Hit' ./rule
	$(GO) test -run '^$$' -bench 'Commit' ./state
	$(GO) run ./internal/bench -binary $(BIN)

# Each fuzz test for FUZZTIME.
FUZZTIME ?= 30s
fuzz: deps
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done

clean:
	rm -rf bin
