# What a clone can be asked for. `make` alone lists it.

PROFILE ?= embedded
DEMO_ARGS ?=
BENCH ?=
MUTANTS ?=
CHAOS ?=
CHAOS_ARGS ?=
CARGO ?= cargo

.DEFAULT_GOAL := help
.PHONY: help demo test chaos check audit fuzz loom mutants bench kafka install-test services-up services-down services-status

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## The user-behaviour system with generated traffic; PROFILE=cluster uses running services
	@scripts/install.sh demo
	$(CARGO) run --release -p user-behaviour -- demo --profile $(PROFILE) $(DEMO_ARGS)

test: install-test kafka ## All tests, the ones against real servers included
	$(CARGO) test --workspace

chaos: install-test kafka ## Faults while records flow, full size, a line of JSON each; CHAOS=1,5 runs some, CHAOS_ARGS=--seed=7
	@$(CARGO) test --release -p user-behaviour --test chaos -- --full $(if $(CHAOS),--scenario $(CHAOS)) $(CHAOS_ARGS)

fuzz: ## Whatever reads strangers' bytes, FUZZ_SECONDS=600 for each target
	@scripts/fuzz.sh

check: ## Format, lints, documentation and its examples, and whether the fuzz targets still compile
	@scripts/install.sh demo
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps --workspace
	$(CARGO) test --doc -p squall
	CARGO_TARGET_DIR=$${CARGO_TARGET_DIR:-target} $(CARGO) check --locked --manifest-path tests/fuzz/Cargo.toml

audit: ## Licences, banned crates and sources of all dependencies
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --all-features check licenses bans sources

loom: ## Every interleaving of the ack tree and the shared breaker
	$(CARGO) test -p loom-tests

mutants: install-test ## Takes one rule after another out of the code and lists the tests that notice; MUTANTS=name picks
	scripts/mutants.sh $(MUTANTS)

# By the part of the name before a dash.
SERVICES = collector% query% freshness
PIPELINE = pipeline% catch-up

bench: install-test kafka ## Benchmarks beside bare loops; BENCH=identity, wordcount, pipeline, catch-up, collector, query or freshness runs one
ifeq ($(filter $(SERVICES) $(PIPELINE),$(BENCH)),)
	BENCH=$(BENCH) $(CARGO) bench -p squall --bench engine
endif
ifneq ($(filter $(PIPELINE),$(or $(BENCH),pipeline)),)
	BENCH=$(BENCH) $(CARGO) bench -p user-behaviour --bench pipeline
endif
ifneq ($(filter $(SERVICES),$(or $(BENCH),query)),)
	BENCH=$(BENCH) $(CARGO) bench -p user-behaviour --bench services
endif

kafka: ## The jars of the Kafka that tests and services run
	@scripts/kafka.sh

install-test: ## What the tests need on a bare Debian: Redis, MariaDB, Java, Maven
	@scripts/install.sh test

services-up: install-test ## Kafka, Redis and MariaDB for development, under .services
	@scripts/services.sh up

services-down: ## Stops them
	@scripts/services.sh down

services-status: ## Which of them are up
	@scripts/services.sh status
