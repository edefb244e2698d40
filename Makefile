# Every target does its own set-up: the first one that runs makes .venv and installs weitiao in it; later ones find it ready.
# Another interpreter:   make test PYTHON=python3.12
# Another package index: PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple make demo

PYTHON ?= python3
BIN := .venv/bin
# Set when what a target needs has been installed; older than pyproject.toml or constraints.txt, they are out of date. Who has what it
# takes to work on weitiao also has what it takes to use it.
USE := .venv/.ready-to-use
READY := .venv/.ready
$(USE): EXTRAS := train,offline,demo,export,space
$(READY): EXTRAS := train,serve,demo,space,offline,dev,export,hub-data,zh,text,quant

.DEFAULT_GOAL := help
.PHONY: help demo test lint messages bench clean

help:
	@echo 'make demo      train on the bundled samples, English and Chinese; figures and three predictions of each'
	@echo 'make test      run the tests with the network cut off'
	@echo 'make lint      ruff, mypy and import-linter'
	@echo 'make messages  bring the Chinese catalogue up to date with the code'
	@echo 'make bench     the short form of every benchmark, and how long each takes'
	@echo 'make clean     remove the environment and the caches; runs/ stays'

$(USE) $(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'weitiao needs Python 3.11 or newer, and "$(PYTHON)" is not.' \
	       'Install one (python.org, your package manager, or conda create -n weitiao python=3.12)' \
	       'and name it: make $(or $(MAKECMDGOALS),test) PYTHON=python3.12' >&2; exit 2; }
	@echo 'Installing weitiao and what it needs into .venv: once, a few minutes, more where the network is slow.'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@touch $(USE) $@

demo: $(USE)
	$(BIN)/weitiao train sample:en --model offline --epochs 4 --lr 1e-4 --batch-size 16 --out runs/demo --overwrite
	$(BIN)/weitiao predict runs/demo \
	  'I was charged twice for the same pair of headphones.' \
	  'The courier says he rang the bell, but we were home all day.' \
	  'Since the last update the app closes as soon as I open the camera.'
	$(BIN)/weitiao train sample:zh --model offline --epochs 8 --lr 4e-4 --batch-size 16 --out runs/demo-zh --overwrite
	$(BIN)/weitiao predict runs/demo-zh \
	  '同一副耳机怎么扣了我两次钱？' \
	  '快递员说按过门铃，可我们全家一整天都在。' \
	  '更新以后，一打开相机应用就闪退。'
	@echo
	@echo 'The reports: runs/demo/report.html and runs/demo-zh/report.html (open them in a browser).'
	@echo 'A page to try it on: $(BIN)/weitiao demo runs/demo'
	@echo 'A page to publish: $(BIN)/weitiao space runs/demo'
	@echo 'To type weitiao yourself: source .venv/bin/activate'

test: $(READY)
	@OMP_NUM_THREADS=1 $(BIN)/python tools/no_network.py $(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

messages: $(READY)
	$(BIN)/python tools/messages.py

bench: $(READY)
	$(BIN)/python benchmarks/short.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
