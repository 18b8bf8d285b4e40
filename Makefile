# Every chore of the project, one command each. `make` by itself lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8000
NOTES_PORT ?= 8001
AWS_PORT ?= 8002
API_PORT ?= 8003
WORKERS ?= 2

# A name on PATH proves nothing (pyenv puts a shim there for versions that cannot run), so each is run to know.
FITS := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do $$python $(FITS) && echo $$python && break; done)

DEV := .venv/.made
AWS := .venv-aws/.made
# The clients in JavaScript are there where Node is; without it their tests are skipped, but not in CI.
CLIENTS := $(if $(shell command -v npm),tests/interop/node_modules/.made)
BIN := .venv/bin
# Many tests start processes of their own, each of which would compile all modules anew.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
PIP := -m pip --disable-pip-version-check --quiet

.PHONY: help serve test products pictures test-fast mutants debian check bench release lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

serve: $(DEV) $(AWS)  ## run it here, with a demo user and the notes example (PORT=8000), or an API of yours (APP=folder SCOPES=file; docs/local.md)
	@exec $(BIN)/python -m local.serve --port $(PORT) --notes-port $(NOTES_PORT) --aws-port $(AWS_PORT) --api-port $(API_PORT) \
		$(call typed,APP,--app) $(call typed,UPSTREAM,--upstream) $(call typed,SCOPES,--scopes) $(call typed,NAME,--name) \
		$(call typed,MCP,--mcp) $(call typed,MCP_SCOPES,--mcp-scopes) $(call typed,GATEWAY,--gateway)

# Names like these may stand in anybody's environment for something else: only the command line counts.
typed = $(if $(filter command%,$(origin $(1))),$(2) '$($(1))')

# Many tests wait for programs of theirs: a worker more than there are processors has something to do meanwhile.
test: check $(AWS) $(CLIENTS) debian  ## check the code, then run every test (WORKERS=3)
	$(PYTEST) -n $(if $(filter file,$(origin WORKERS)),3,$(WORKERS)) --dist loadfile --no-loadscope-reorder

products: $(DEV) $(CLIENTS) debian  ## run the products of docs/clients.md against it, those whose toolchain is here (ONLY="dex grafana")
	$(BIN)/python -m tests.products $(if $(filter command%,$(origin ONLY)),$(ONLY))

# Without the check, a server or a browser: what is decided and stored, and the guard.
test-fast: $(DEV)  ## run the tests of the floors that need no server, in less than a minute (WORKERS=2)
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "not slow" --hypothesis-profile fast -q $(FAST)

FAST := tests/domain tests/store tests/flows tests/guard tests/test_arrows.py

mutants: $(DEV)  ## break the domain's code in 60 small ways and print what its tests do not notice (SAMPLE=60 SEED=1)
	@$(BIN)/python -m local.mutants --workers $(WORKERS) \
		$(call typed,SAMPLE,--sample) $(call typed,SEED,--seed)

pictures: $(DEV) debian  ## take a picture of every page, on every screen and in each language, into build/pictures (OF="login consent")
	@$(BIN)/python -m tests.pages.pictures $(OF)

debian:  ## install the browser and the Apache that some tests need (as root on Debian)
	@missing=; test -x /usr/bin/chromium-headless-shell || missing=" chromium-headless-shell"; \
	test -x /usr/sbin/apache2 && test -e /usr/lib/apache2/modules/mod_auth_openidc.so || \
		missing="$$missing apache2-bin libapache2-mod-auth-openidc"; \
	test -z "$$missing" || { test "$$(id -u)" = 0 && test -e /etc/debian_version && echo "Installing$$missing." && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; } || \
		echo "Not installed:$$missing. The tests that need them are skipped."

check: $(DEV)  ## lint, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV) $(AWS)  ## print what is fast, beside peers and bare libraries (PEERS=all: Keycloak too; PEERS=none)
	$(BIN)/python -m benchmarks $(call typed,PEERS,--peers) $(call typed,BEFORE,--before)

release: $(DEV)  ## date the unreleased entry of the changelog and set the version (VERSION=1.2.3)
	@./latchkey release $(call typed,VERSION,)

lock: $(DEV)  ## resolve the *.in files anew
	$(BIN)/uv pip compile $(LOCK) --generate-hashes requirements.in --output-file requirements.txt
	$(BIN)/uv pip compile $(LOCK) requirements-dev.in --output-file requirements-dev.txt
	$(BIN)/uv pip compile $(LOCK) --generate-hashes --no-deps requirements-docs.in --output-file requirements-docs.txt
	$(BIN)/uv pip compile $(LOCK) requirements-aws.in --output-file requirements-aws.txt

LOCK := --quiet --upgrade --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links

clean:  ## remove what was made here (not the local state: see `python -m local.serve --help`)
	rm -rf build .venv .venv-aws tests/interop/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEV): requirements.txt requirements-dev.txt requirements-docs.txt
	@$(found-python)
	@echo "Making .venv, about a minute."
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) install --require-hashes -r requirements.txt
	$(BIN)/python $(PIP) install -r requirements-dev.txt
	$(BIN)/python $(PIP) install --require-hashes --no-deps -r requirements-docs.txt
	@touch $@

# The embedded AWS pins another botocore than ours: an environment of its own.
$(AWS): requirements-aws.txt
	@$(found-python)
	@echo "Making .venv-aws, about half a minute."
	$(PYTHON) -m venv .venv-aws
	.venv-aws/bin/python $(PIP) install -r requirements-aws.txt
	@touch $@

tests/interop/node_modules/.made: tests/interop/package-lock.json
	npm ci --prefix tests/interop --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

found-python = test -n "$(PYTHON)" && $(PYTHON) $(FITS) || \
	{ echo "Python 3.11, 3.12 or 3.13 is needed and $(if $(PYTHON),$(PYTHON) is none of them,none was found); name one with PYTHON=..." >&2; exit 1; }

# deploy, destroy, package, cloud
-include deploy/deploy.mk
