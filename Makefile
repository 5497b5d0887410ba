# Nothing but Python 3.11+, make and the package registry is needed; everything goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test coverage test-lowest check lint docs dist bench audit fuzz mutants soak format clean docs/faults.md

demo: $(VENV)/.demo
	$(BIN)/helpcrunch demo

test: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto

# half as long again
coverage: $(VENV)/.dev
	$(BIN)/pytest --numprocesses auto --cov --cov-report=term

# with the lowest versions that pyproject.toml names
test-lowest: $(VENV)/.lowest
	$(VENV)/lowest/bin/pytest --numprocesses auto

check: test lint

# the benchmarks are type-checked too, against the peers they import; --verifytypes knows no --pythonpath, it asks
# the first python on the PATH. --ignoreexternal, because without it (99.1 %) pyright does not know what our own types
# are made of: aiohttp's sessions and requests (by way of yarl's hooks for pydantic, which end in typeshed's unannotated
# numbers.pyi) in open_session, borrow_session, Transport, testing.faults.send and Listener; redis-py's clients in
# RedisRateLimiter, RedisBudget and connect_by_url; rich's and typer's in cli.app, Screen, card_of and table_of
lint: $(VENV)/.bench
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	PATH="$(abspath $(BIN)):$$PATH" pyright --ignoreexternal --verifytypes helpcrunch_async

docs: $(VENV)/.dev
	$(BIN)/sphinx-build --builder html --fail-on-warning --keep-going --quiet --fresh-env docs build/docs

dist: $(VENV)/.dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/contents.py dist

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/run.py

# asks a public list of vulnerabilities, so it is not part of `make check`
audit: $(VENV)/.pip
	$(BIN)/python -m pip install --quiet --editable ".[cli]" --group audit
	$(BIN)/pip-audit --skip-editable

# a minute, or as many seconds as SECONDS says; what is new goes into build/fuzz, what fails into build/fuzz-failed-*
SECONDS := 60
fuzz: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group fuzz
	mkdir -p build/fuzz
	$(BIN)/python fuzz/drive.py -max_total_time=$(SECONDS) -max_len=4096 -dict=fuzz/decoder.dict \
		-artifact_prefix=build/fuzz-failed- build/fuzz fuzz/corpus

# all modules take hours; `make mutants MODULES='errors retry'` for some, SAMPLE=20 for so many mutants of each module.
# docs/explanation/mutants.md tells more
MODULES :=
SAMPLE :=
mutants: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group mutants
	$(BIN)/python .ci/mutants.py $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(MODULES)

# some minutes; SEED=n repeats one, as far as the order in which requests arrive allows
IDS := 100000
SEED :=
soak: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -W error -m soak --ids $(IDS) $(if $(SEED),--seed $(SEED))

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs/faults.md: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m faults.table

clean:
	rm -rf $(VENV) build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# A stamp per set of packages; each is renewed when pyproject.toml changes.
$(VENV)/.pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[cli]"
	touch $@

$(VENV)/.dev: $(VENV)/.pip pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[cli]" --group dev
	touch $@

$(VENV)/.lowest: $(VENV)/.pip pyproject.toml .ci/lowest.py
	$(PYTHON) -m venv $(VENV)/lowest
	$(VENV)/lowest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python .ci/lowest.py >$(VENV)/lowest.txt
	$(VENV)/lowest/bin/python -m pip install --quiet --editable ".[cli]" --group test --constraint $(VENV)/lowest.txt
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --group bench
	touch $@
