# Two commands: `make demo` and `make test`. Everything else serves them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SITE ?= site

.DEFAULT_GOAL := help
.PHONY: help demo test coverage docs test-docs test-system test-race test-page test-storage test-cluster \
	test-bursts matrix mutants benchmark figures \
	lint terms unit integration constraints clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

demo: $(VENV)/ready ## a prompt becomes a video on a real Airflow; ONCE=1 ends by itself, DAG=story another example, DAGS=folder your own
	@$(BIN)/python -m dev.demo $(if $(DAG),--dag $(DAG)) $(if $(DAGS),--dags $(DAGS)) $(if $(ONCE),--once)

test: lint coverage ## everything that a contribution must pass

lint: $(VENV)/ready ## style, types, and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

terms: $(VENV)/ready ## retired terms that are left in code, tests and texts
	@$(BIN)/python dev/retired_terms.py

unit: $(VENV)/ready ## tests without network and database
	@$(BIN)/python -m pytest tests/unit tests/dev

integration: $(VENV)/ready ## tests with the emulator and a real Airflow, four at a time: they wait more than they compute
	@$(BIN)/python -m pytest -n 4 --dist worksteal tests/integration

coverage: $(VENV)/ready ## unit and integration tests together, which must run at least 97 % of the lines of the package
	@rm -f .coverage.unit .coverage.integration
	@COVERAGE_FILE=.coverage.unit $(BIN)/python -m pytest --cov --cov-report= tests/unit tests/dev
	@COVERAGE_FILE=.coverage.integration $(BIN)/python -m pytest -n 4 --dist worksteal --cov --cov-report= tests/integration
	@$(BIN)/python -m coverage combine --quiet .coverage.unit .coverage.integration
	@$(BIN)/python -m coverage report --fail-under 97

docs: $(VENV)/ready ## the documentation as a site, into site/; a warning is an error
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs $(SITE)

test-docs: $(VENV)/ready ## every code block of README and docs, and the Chinese pages beside the English ones
	@$(BIN)/python -m pytest tests/docs

test-system: $(VENV)/ready $(VENV)/litellm/ready ## kills, freezes and clicks on a real scheduler, a real proxy (ten minutes)
	@$(BIN)/python -m pytest -n 2 --dist loadfile tests/system

test-race: $(VENV)/ready ## 20 runs of the quickstart's Dag whose videos are ready in the seconds of Airflow's own race (two minutes)
	@$(BIN)/python -m pytest tests/race

test-page: $(VENV)/ready $(VENV)/axe/ready ## the page in Airflow's UI, in a real browser; pictures into screenshots/ (five minutes)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		{ echo "Chromium is missing. On Debian: apt install chromium fonts-wqy-zenhei (for Chinese prompts)"; exit 1; }
	@$(BIN)/python -m pytest tests/page

test-storage: $(VENV)/storage/ready ## videos into S3, Azure and Google Cloud Storage stand-ins, each through Airflow's own filesystem
	@$(VENV)/storage/bin/python -m pytest tests/storage

test-cluster: $(VENV)/cluster/ready ## 300 videos on PostgreSQL, Celery and two triggerers; machines are lost on the way (a quarter of an hour)
	@$(VENV)/cluster/bin/python -m pytest tests/cluster --ignore tests/cluster/test_page_bursts.py

test-bursts: $(VENV)/cluster/ready ## up to 300 requests at once to each route of the page, on SQLite and PostgreSQL (half an hour)
	@$(VENV)/cluster/bin/python -m pytest tests/cluster/test_page_bursts.py

matrix: $(VENV)/ready ## the built wheel on each supported Airflow, into docs/compatibility.md (an hour); ONLY=3.0.6: some
	@$(BIN)/python -m dev.matrix $(if $(ONLY),--only $(ONLY)) $(if $(PYTHONS),--pythons $(PYTHONS))

benchmark: $(VENV)/bench/ready ## what waiting costs, beside other providers, into docs/performance.md (half an hour)
	@$(VENV)/bench/bin/python -m benchmarks $(if $(QUICK),--quick)

figures: $(VENV)/cluster/ready ## what docs/scaling.md says of triggerers and of the cost of a task, printed (a quarter of an hour)
	@$(VENV)/cluster/bin/python -u -m benchmarks.cluster_figures

mutants: $(VENV)/mutmut/ready ## whether the unit tests notice changes of the pure core (an hour); MODULE=api.schedule checks one
	@$(BIN)/python -m dev.mutants $(MODULE)

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "Installing into $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python's venv module is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@{ $(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip && \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev; } || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@# Airflow takes four seconds longer to start uncompiled, and some environments forbid compiling at import
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@touch $@

$(VENV)/litellm/ready: tests/system/litellm.txt | $(VENV)/ready
	@echo "Installing LiteLLM's proxy into $(@D) (once; about a minute, 0.7 GB) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --requirement $< || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@touch $@

$(VENV)/storage/ready: tests/storage/requirements.txt | $(VENV)/ready
	@command -v npm >/dev/null || \
		{ echo "npm is missing. Azure's stand-in, azurite, runs on Node.js: install version 18 or newer, with npm."; exit 1; }
	@echo "Installing Airflow with the stores' filesystems and their stand-ins into $(@D) (once; two minutes, 0.9 GB) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --no-deps --requirement $< --editable . || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@# 3.35 is the last that runs on Node.js before 21
	@npm install --prefix $(@D)/azurite --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error azurite@3.35.0 >/dev/null || \
		{ echo "The installation of azurite failed; npm says why above. Its registry must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/cluster/ready: tests/cluster/requirements.txt constraints.txt | $(VENV)/ready
	@echo "Installing Airflow with Celery and PostgreSQL's drivers into $(@D) (once; about a minute) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --constraint constraints.txt --editable '.[emulator]' \
		--requirement $< psutil pytest pytest-asyncio || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/axe/ready: | $(VENV)/ready
	@command -v npm >/dev/null || \
		{ echo "npm is missing. It brings axe-core, which checks accessibility: install Node.js 18 or newer, with npm."; exit 1; }
	@npm install --prefix $(@D) --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		--loglevel=error axe-core@4.14.1 >/dev/null || \
		{ echo "The installation of axe-core failed; npm says why above. Its registry must be reachable."; exit 1; }
	@touch $@

$(VENV)/bench/ready: benchmarks/requirements.txt constraints.txt | $(VENV)/ready
	@echo "Installing the peers of the benchmark into $(@D) (once; about a minute) ..."
	@$(BIN)/python -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --quiet --python $(@D)/bin/python install --constraint constraints.txt --editable . \
		--requirement $< || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@$(@D)/bin/python -m compileall -q -j 0 $(@D)/lib >/dev/null || true
	@touch $@

$(VENV)/mutmut/ready: pyproject.toml constraints.txt | $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group mutants || \
		{ echo "The installation failed; pip says why above. A package index must be reachable."; exit 1; }
	@mkdir -p $(@D) && touch $@

constraints: $(VENV)/ready $(VENV)/mutmut/ready ## pin what is installed now
	@{ echo "# Versions for development and CI, written by 'make constraints'. The package itself declares ranges."; \
		$(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools; } > constraints.txt

clean: ## remove what the commands have made
	rm -rf $(VENV) site demo_videos screenshots mutants dist .coverage .coverage.* .pytest_cache .ruff_cache .mypy_cache .hypothesis
