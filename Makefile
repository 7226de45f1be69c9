# Gantry's targets. `make help` lists them.
SHELL := /bin/bash
export PATH := $(CURDIR)/.go/bin:$(PATH)
export CGO_ENABLED ?= 0
GO ?= go
PKG ?= ./...
N ?= 200
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help setup build demo test race check golden sim mission planted fuzz bench generate docs

help: ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building, testing and the demo need (Debian 12)
	@.ci/setup

build: setup ## build bin/gantry, and where libdqlite is there bin/gantry-dqlite
	@$(GO) build -trimpath -o bin/gantry ./cmd/gantry
	@.ci/dqlite build -trimpath -o bin/gantry-dqlite ./cmd/gantry

demo: build ## apply bundles/telemetry.yaml, kill the primary's machine, audit
	@bundles/demo

test: build ## every test, real software included where root allows it
	@.ci/test

race: setup ## the tests of the fast packages under the race detector
	@CGO_ENABLED=1 $(GO) test -race -short $(PKG)

check: setup ## formatting, vet, staticcheck, known vulnerabilities, architecture
	@.ci/check

golden: ## rewrite the golden plans and the stories of the CLI, then look at git diff
	@$(GO) test -short $$(grep -rlE 'sdktest\.|Bool\("update"' --include=*_test.go charms cmd | xargs -n1 dirname | sort -u | sed 's|^|./|') -update

sim: ## simulate bundles and controllers under N seeds: make sim N=10000
	@$(GO) test ./bundles -timeout 0 -run Simulate -seeds $(N)
	@$(GO) test ./engine/consensus -timeout 0 -v -run Simulate -seeds $(N)

mission: setup ## a mission's data path on real software, broken part by part
	@GANTRY_E2E_MISSION=1 $(GO) test -v -count 1 -timeout 60m -run TestMissionData ./cmd/gantry/e2e

planted: setup ## mistakes planted in solver and consensus, which must be found
	@$(GO) test -v -timeout 60m -run Planted ./engine/solver ./engine/consensus

fuzz: ## every fuzz target for FUZZTIME
	@.ci/fuzz $(FUZZTIME)

bench: build ## measure, side by side with a peer or a physical limit
	@.ci/bench

generate: ## generated code from the .proto files
	@$(GO) generate ./engine/wire/... ./charms/sdk/...

docs: build ## docs/commands.md from the commands' own help
	@bin/gantry docs > docs/commands.md
