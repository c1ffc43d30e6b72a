# The entrance: each target does one thing. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_READY := $(VENV)/.run-ready
OPERATOR_READY := $(VENV)/.operator-ready
DEV_READY := $(VENV)/.dev-ready
PACKAGES := shared shared/client-python gateway state-service music-service
SOURCES := $(filter-out shared/%,$(PACKAGES)) deploy/local deploy/operator deploy/release tests
# In place of the shell, so that a signal to make reaches it.
LOCAL := exec env PYTHONPATH=deploy/local $(BIN)/python -m harmonic_local
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

PORT ?= 8000
GATEWAYS ?= 1
STATES ?= 1
MUSICS ?= 1
USER_ID = $(if $(filter command line,$(origin USER)),$(USER),user-123)
TTL ?= 3600
TESTS ?= tests
SUITES ?=
WORKERS ?= 6
INPUTS ?= 100000
SEED ?=
PARTS ?=
AGAINST ?=
ROUNDS ?= 10
HALF ?= seen
FROM ?=
RUNGS ?=
KEY ?=
BROKERS ?=
BASE ?=

.DEFAULT_GOAL := help
.PHONY: help setup run demo token harmonic playground compose listen rolls compare diversity fmt lint types arch test campaigns conformance contract settings bench capacity chaos fuzz mutate ladder release lock clean

help: ## Show what there is to do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(DEV_READY) ## Install everything for development and tests into .venv

$(VENV)/bin/python:
	@echo "Making a virtual environment in $(VENV) …" >&2
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed."; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(RUN_READY): requirements-run.txt $(PACKAGES:%=%/pyproject.toml) | $(VENV)/bin/python
	@echo "Installing what the services need …" >&2
	@$(PIP) install --require-hashes -r requirements-run.txt
	@$(PIP) install --no-deps --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

$(OPERATOR_READY): requirements-operator.txt deploy/operator/pyproject.toml $(RUN_READY)
	@echo "Installing what the operator's command needs …" >&2
	@$(PIP) install --require-hashes -r requirements-operator.txt
	@$(PIP) install --no-deps --no-build-isolation -e ./deploy/operator
	@touch $@

$(DEV_READY): requirements-dev.txt $(OPERATOR_READY)
	@echo "Installing what the tests and checks need …" >&2
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

run: $(RUN_READY) ## Run it all here: PORT=8000 GATEWAYS=1 STATES=1 MUSICS=1
	@$(LOCAL) run --port $(PORT) --gateways $(GATEWAYS) --states $(STATES) --musics $(MUSICS)

demo: $(RUN_READY) ## Watch two people collaborate in the running instance
	@$(LOCAL) demo

harmonic: $(OPERATOR_READY) ## Run an operator's command: ARGS="status"
	@$(LOCAL) harmonic $(ARGS)

token: $(RUN_READY) ## Print a token for the running instance: USER=alice [NAME=Alice] [TTL=3600]
	@$(LOCAL) token --user "$(USER_ID)" $(if $(NAME),--name "$(NAME)") --ttl $(TTL)

playground: $(DEV_READY) ## Build the page that gateways serve at / from shared/playground
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m playground

compose: ## Compose offline: a request a line from standard input, an answer a line
	@$(MAKE) --no-print-directory $(RUN_READY) </dev/null >&2
	@$(BIN)/python -m harmonic_music compose

listen: $(DEV_READY) ## Render examples of the music into .listen, to hear, see and read
	@PYTHONPATH=tests $(BIN)/python -m listen .listen

rolls: $(DEV_READY) ## Draw shuffled rolls of real pieces and ours into .rolls, to rate: SEED=1 HALF=held-out FROM=10000
	@PYTHONPATH=tests $(BIN)/python -m listen.rolls .rolls --half $(HALF) $(SEED:%=--seed %) $(FROM:%=--first-seed %)

compare: $(DEV_READY) ## Measure our pieces beside real ones, row by row: HALF=held-out
	@PYTHONPATH=tests $(BIN)/python -m music_service.compare $(HALF)

diversity: $(DEV_READY) ## Measure how different a thousand pieces are, beside real ones: HALF=all
	@PYTHONPATH=tests $(BIN)/python -m music_service.diversity $(HALF)

fmt: $(DEV_READY) ## Format the code
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix --quiet $(SOURCES) || true

lint: $(DEV_READY) ## Check style and formatting
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: $(DEV_READY) ## Check types, tests included
	@$(BIN)/mypy $(SOURCES:%=./%)

arch: $(DEV_READY) ## Check who may import whom
	@$(BIN)/lint-imports

PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
#: What takes long, and is run by itself.
CAMPAIGNS = tests/chaos tests/clients tests/compat tests/fuzz tests/mutation tests/playground \
	tests/gateway/test_interleavings.py \
	tests/integration/test_admission_races.py tests/integration/test_permissions.py \
	tests/integration/test_skew.py tests/integration/test_versions.py \
	tests/recovery/test_coming_back.py tests/recovery/test_races.py tests/recovery/test_what_clients_see.py \
	tests/music_service/test_pieces.py \
	tests/operate/test_erased_bytes.py tests/operate/test_questions.py \
	tests/operate/test_questions_of_services.py tests/peers/test_deaths.py tests/peers/test_handovers.py

test: $(DEV_READY) ## Run all tests but the campaigns: TESTS=tests/gateway for a part, WORKERS=0 for one process
	@$(MAKE) --no-print-directory --jobs 2 lint types arch
	@$(PYTEST) $(if $(filter tests,$(TESTS)),$(CAMPAIGNS:%=--ignore=%)) $(TESTS)

campaigns: $(DEV_READY) ## Run what takes long: chaos and fuzz in short, every order of events, breaks, the last release
	@$(PYTEST) $(CAMPAIGNS)

conformance: $(DEV_READY) ## Run the official Engine.IO and Socket.IO suites: SUITES=folder
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m conformance $(SUITES)

contract: $(DEV_READY) ## Generate the contract's documents from its declarations
	@$(BIN)/python -m harmonic_protocol.export shared/contract

settings: $(DEV_READY) ## Generate the references of settings and metrics from their declarations
	@PYTHONPATH=deploy/local $(BIN)/python -m harmonic_local.reference

fuzz: $(DEV_READY) ## Send a product of its own 100,000 hostile inputs: INPUTS=100000 SEED=1
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED))

mutate: $(DEV_READY) ## Change the cores in every small way, and see unit tests notice: PARTS="domain limits"
	@PYTHONPATH=tests $(BIN)/python -m mutation $(PARTS)

bench: $(DEV_READY) ## Measure, beside a plain Socket.IO server, or AGAINST=checkout ROUNDS=10
ifneq ($(AGAINST),)
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.against $(AGAINST) --rounds $(ROUNDS)
else
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.bench
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.universes
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.universes --brokers 3
	@PYTHONPATH=tests $(BIN)/python -m music_service.bench
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.peers
endif

capacity: $(DEV_READY) ## Measure what one replica carries, and write it into deploy/docs/capacity.md
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m load.capacity --write

chaos: $(DEV_READY) ## Kill everything in turn for minutes, and compare: SEED=1 PARTS="chaos rush"
	@PYTHONPATH=deploy/local:tests $(BIN)/python -m chaos $(SEED:%=--seed %) $(PARTS)
	@$(if $(PARTS),,PYTHONPATH=deploy/local:tests $(BIN)/python -m recovery.campaign $(SEED:%=--seed %))

ladder: $(DEV_READY) ## Check whether it can be installed, watched, upgraded and repaired: RUNGS="1 2"
	@PYTHONPATH=deploy/local:deploy/release:tests $(BIN)/python -m ladder $(RUNGS)

release: $(DEV_READY) ## Make a signed release in dist: KEY=release.key [BROKERS=chart] [BASE=debian]
	@PYTHONPATH=tests $(BIN)/python -c 'from ladder import tools; tools.install()'
	@PYTHONPATH=deploy/local:deploy/release $(BIN)/python -m harmonic_release --key "$(KEY)" $(BROKERS:%=--brokers %) $(if $(filter debian,$(BASE)),--debian)

lock: $(DEV_READY) ## Resolve and pin all dependencies anew
	@$(PIP) install uv
	@$(BIN)/python deploy/local/lock.py

clean: ## Remove what was installed and generated here, but no data
	@rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
