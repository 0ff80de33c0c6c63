# make app          the environment, the requirements, then the app in a browser
# make quick        lint, types and the fast unit tests, in two minutes; TESTS=tests/jobs for others
# make test         everything that is checked: unit, property, app and browser tests, contracts, lint, types
# make lint         ruff, mypy and the import contracts alone
# make trust        every test that proves a promise or answers a threat (docs/trust.md), and its figures
# make docs         the site of docs/ as docs/_build/html (Sphinx; a warning is an error)
# make bench-ui     how fast the app feels, measured in a real browser (an otherwise idle machine)
# make audit        known vulnerabilities of every pinned package (asks the package index), and the list of licences
# make sample-data  write sample_data/ again, byte for byte
# make clean        remove the environment and all caches
#
# PYTHON=python3.12 chooses the interpreter, PORT=8600 the app's port; TESTS="tests/jobs -k cancel" narrows `make test`.
# Written for GNU make 3.81 (macOS) and later.

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
QUICK ?= $(if $(filter-out tests,$(TESTS)),$(TESTS),tests/data tests/layout tests/models tests/plotting tests/reports tests/cli)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest --disable-socket --allow-unix-socket --allow-hosts=127.0.0.1,::1,localhost

.PHONY: app quick test docs trust bench-ui audit lint sample-data clean environment chromium

app: $(VENV)/.requirements
	@case "$$(uname)$$DISPLAY$$WAYLAND_DISPLAY" in Linux) headless=true ;; *) headless=false ;; esac; \
	$(BIN)/python -m streamlit run app.py --server.headless $$headless $(if $(PORT),--server.port $(PORT))

quick: lint
	OMP_NUM_THREADS=1 $(PYTEST) -n 2 -m "not browser and not slow" $(QUICK)

# The parts run one after the other whatever the first says; the browser tests need the machine to themselves.
test: $(VENV)/.test-requirements chromium
	@status=0; \
	echo "== tests without a browser (two at a time)"; \
	OMP_NUM_THREADS=1 $(PYTEST) -n 2 -m "not browser" $(TESTS) || status=$$?; \
	if [ $$status -eq 5 ]; then status=0; fi; \
	echo "== browser tests"; \
	$(PYTEST) -m browser --reruns 1 -rR $(TESTS) || { last=$$?; if [ $$last -ne 5 ]; then status=$$last; fi; }; \
	exit $$status

trust: $(VENV)/.test-requirements chromium
	@OMP_NUM_THREADS=1 $(BIN)/python tests/trust/report.py

docs: $(VENV)/.docs-requirements
	$(BIN)/python -m sphinx -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench-ui: $(VENV)/.test-requirements chromium
	@PYTHONPATH=. $(BIN)/python tests/browser/bench_ui.py

# Strict: a package that the advisory service does not know (a mirror without advisories) is no clean one.
audit: $(VENV)/.requirements
	@$(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip --disable-pip-version-check install --quiet pip-audit
	@$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu//' > $(VENV)/audit/pins.txt
	$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement $(VENV)/audit/pins.txt
	@$(BIN)/python -m genomap_core licences

lint: $(VENV)/.test-requirements
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

sample-data: $(VENV)/.requirements
	$(BIN)/python -m genomap_core.data.simulated.tables sample_data
	$(BIN)/python -m tools.precompute_sample

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache test-artifacts docs/_build

environment: $(VENV)/.requirements

# Stamp files: a second call finds them and is fast; a changed requirements file installs again.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "GenoMap Studio needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	  echo "Install one (Debian: apt-get install python3 python3-venv; macOS: brew install python@3.12),"; \
	  echo "or name it: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	  echo "This Python comes without 'venv'."; \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y python3-venv; \
	  else echo "Install it first: sudo apt-get install python3-venv"; exit 1; fi; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.requirements: requirements.txt $(VENV)/.created
	@echo "Installing the requirements into $(VENV) (minutes the first time) ..."
	$(PIP) install --quiet -r requirements.txt
	@touch $@

$(VENV)/.test-requirements: tests/requirements.txt docs/requirements.txt $(VENV)/.requirements
	$(PIP) install --quiet -r requirements.txt -r tests/requirements.txt -r docs/requirements.txt
	@touch $@

$(VENV)/.docs-requirements: docs/requirements.txt $(VENV)/.created
	$(PIP) install --quiet -r docs/requirements.txt
	@touch $@

# As root on Debian the browser is installed; elsewhere one line says how to get it and its tests are skipped.
chromium: $(VENV)/.test-requirements
	@$(BIN)/python tests/browser/find_chromium.py >/dev/null && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests ..."; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
	    >/dev/null || true; \
	fi; \
	$(BIN)/python tests/browser/find_chromium.py >/dev/null || echo \
	  "No Chromium, browser tests are skipped: 'sudo apt-get install chromium' (Debian), 'brew install --cask chromium' (macOS), or CHROMIUM=/path/to/it make test."
