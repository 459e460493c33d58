# The commands of the project: `make help` lists them. The first call of a target installs what it needs into .venv.

PYTHON ?= python3

venv := .venv
bin := $(venv)/bin
# The locks are complete, so nothing is resolved here; every file is checked against its hash.
install := $(bin)/uv pip install --quiet --python $(bin)/python --no-deps
lock := $(bin)/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --annotation-style line

# Each process computes on one thread; one more than there are processors works while others wait.
PROCESSES ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 1) + 1)))
parallel := --numprocesses $(PROCESSES) --dist loadscope

export UV_HTTP_TIMEOUT ?= 300
export UV_PYTHON_DOWNLOADS := never
# With PYTHONDONTWRITEBYTECODE, each process would compile all that it imports anew: seconds, for torch or a service.
unexport VIRTUAL_ENV PYTHONPATH PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets.
	@sed -nE 's/^([a-z-]+):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name does; do \
		printf '  make %-14s %s\n' "$$name" "$$does"; done

.PHONY: run
run: page $(venv)/.serve ## Serve the page and the HTTP API; prints the address.
	@$(bin)/hangtag serve

.PHONY: page
page: $(venv)/.base ## Bring the built page up to date with web/.
	@$(bin)/python hatch_build.py

.PHONY: test
test: $(venv)/.dev ## Run all tests; `make test ARGS="-k split"` runs some.
	@$(bin)/python -m pytest $(parallel) $(ARGS)

.PHONY: test-fast
test-fast: $(venv)/.dev ## Run the inner loop: unit tests that take milliseconds and start nothing.
	@$(bin)/python -m pytest $(parallel) --fast -p no:schemathesis tests/unit $(ARGS)

.PHONY: coverage
coverage: $(venv)/.dev ## Run the unit tests and show which lines they miss: half the time of all tests.
	@$(bin)/python -m pytest $(parallel) --cov --cov-report=term:skip-covered --cov-report=html tests/unit tests/contracts $(ARGS)

.PHONY: docs
docs: $(venv)/.dev ## Build the documentation into build/site; a dead link is an error.
	@NO_MKDOCS_2_WARNING=1 $(bin)/python -m mkdocs build --quiet --strict

.PHONY: hooks
hooks: $(venv)/.dev ## Check each commit before it is made (pre-commit).
	@$(bin)/pre-commit install --hook-type pre-commit --hook-type commit-msg

.PHONY: lint
lint: style types imports docs page-checks ## Check style, types, the direction of imports, the documentation and the page.

.PHONY: style
style: $(venv)/.dev
	@$(bin)/ruff check
	@$(bin)/ruff format --check

.PHONY: types
types: $(venv)/.dev
	@$(bin)/mypy

.PHONY: imports
imports: $(venv)/.dev
	@$(bin)/lint-imports

.PHONY: page-checks
page-checks: $(venv)/.base
	@$(bin)/python hatch_build.py lint types check:api

.PHONY: check
check: lint test ## Run what CI runs.

.PHONY: format
format: $(venv)/.dev ## Bring all code into the project's style.
	@$(bin)/ruff check --fix-only --quiet
	@$(bin)/ruff format

.PHONY: install install-serve install-train install-dev
install: $(venv)/.base ## Install what labels photos.
install-serve: $(venv)/.serve ## Also install what serves the page and the HTTP API.
install-train: $(venv)/.train ## Also install what trains models (torch, about 5 GB).
install-dev: $(venv)/.dev ## Also install what tests hangtag.

.PHONY: lock
lock: $(bin)/uv ## Bring the locks up to date with pyproject.toml; UPGRADE=--upgrade takes the newest of everything.
	$(lock) --group build --group dev --extra serve --extra train --extra tensorboard --extra cloud --extra quantise --extra ray --extra traces --extra heic -o requirements/dev.txt pyproject.toml
	$(lock) --group build --extra train -c requirements/dev.txt -o requirements/train.txt pyproject.toml
	$(lock) --group build --extra serve --extra heic -c requirements/dev.txt -o requirements/serve.txt pyproject.toml
	$(lock) --group build -c requirements/dev.txt -o requirements/base.txt pyproject.toml
	$(lock) --group audit -c requirements/dev.txt -o requirements/audit.txt
	$(lock) --group uv -o requirements/uv.txt

.PHONY: wheel
wheel: $(venv)/.base ## Build the wheel into dist/.
	@$(bin)/uv build --quiet --wheel --python $(bin)/python --no-build-isolation

.PHONY: sbom
sbom: $(venv)/.serve $(venv)/.audit ## Write the bill of materials and the licences into build/; look for known vulnerabilities.
	@$(bin)/python deploy/bill.py build --audit

.PHONY: clean
clean: ## Remove .venv, build/ and dist/.
	rm -rf $(venv) build dist

# What is installed is remembered by an empty file per lock. The locks agree on every version: base.txt is a part of each,
# and dev.txt contains them all.
$(venv)/.base: requirements/base.txt pyproject.toml $(bin)/uv
	@$(install) --require-hashes -r $<
	@$(install) --no-build-isolation --editable .
	@touch $@

$(venv)/.serve $(venv)/.train $(venv)/.dev $(venv)/.audit: $(venv)/.%: requirements/%.txt pyproject.toml $(venv)/.base
	@$(install) --require-hashes -r $<
	@touch $@

$(bin)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and "hangtag needs Python 3.11 or newer, \
	and $(PYTHON) is %d.%d. Name another one: make PYTHON=python3.12 ..." % v)'
	@$(PYTHON) -m venv $(venv)
	@$(bin)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
