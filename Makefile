# What a developer does here; `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/sh
.SUFFIXES:

VENV := .venv
INSTALLED := $(VENV)/installed
BIN := $(VENV)/bin
COMPILED := $(VENV)/compiled
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STRIPELINE := $(BIN)/stripeline
# The figures of `make bench`, for example ONLY=sink_live; empty for all.
ONLY ?=
# Tests side by side: most of their time they wait for rebalances and outages.
WORKERS ?= 4
# Further words for pytest, for example ARGS='-k relay -x'.
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(INSTALLED) $(COMPILED) ## Make the virtual environment and compile; done again only where something has changed

$(INSTALLED): requirements/dev.lock
	@python=''; \
	for found in $(PYTHON) python3.13 python3.12 python3.11 python3.14 python3 python; do \
	  if "$$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python=$$found; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo 'stripeline needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3' >&2; \
	  exit 1; \
	fi; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV) || { \
	  echo "$$python cannot make a virtual environment; its package for that (python3-venv) is missing." >&2; \
	  exit 1; \
	}
	@echo 'Installing what requirements/dev.lock names ...'
	@$(PIP) --require-hashes --requirement requirements/dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Without it everything works, and the relay takes twice the time; so nothing here stops what comes.
$(COMPILED): $(INSTALLED) deploy/compile.py $(wildcard producer/*.pyx producer/*.pxd)
	-@[ -n "$$CC" ] || command -v cc >/dev/null || $(PIP) --require-hashes --requirement requirements/compiler.lock
	@if $(BIN)/python deploy/compile.py; then touch $@; fi

.PHONY: format
format: setup ## Format the code, and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

.PHONY: check
check: setup ## Formatting, lint, types, imports, sizes
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/test_house_rules.py

.PHONY: test
test: check ## Everything: the checks, then every test on real Kafka, registry and Postgres
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

.PHONY: demo
demo: setup ## Stripe (simulated), Kafka, Postgres and both services here; shows rows changing
	$(STRIPELINE) stack demo

.PHONY: up
up: setup ## The same against real Stripe: needs STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET
	$(STRIPELINE) stack up --services

.PHONY: down
down: setup ## Stop what `make up` or `make demo` started; data is kept
	$(STRIPELINE) stack down

.PHONY: bench
bench: setup ## Measure; ONLY=<figure> for one
	$(BIN)/python -m bench $(ONLY)

.PHONY: schemas
schemas: setup ## Write schemas/avro/ again from the stripe package
	$(BIN)/python -m schemas.generate
	$(BIN)/python -m schemas.generate_shapes

.PHONY: docs
docs: setup ## Write the generated pages of docs/ again
	$(BIN)/python -m stripeline.docs
