# Front door. Everything happens in .venv, with this repository as the working directory. Paths are
# relative, since make cannot quote: a tree may lie anywhere.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ALIVE := $(BIN)/python -c '' 2>/dev/null
# A Ctrl-C while Python is still starting waits until it is heeded (where env knows how).
LATER := $(shell env --block-signal=INT,TERM,HUP true 2>/dev/null && echo env --block-signal=INT,TERM,HUP)
PORT ?= 5000
DEV_PORT ?= 3000
TEST_WORKERS ?= 2
# What a person writes is taken as it was written ($100 stays $100, also from the environment), and
# reaches a recipe's shell through the environment alone.
WRITTEN := SOURCES FACEPACK CONSENT PROFILE STRICT REF PROMPT OUT SEED ADAPTER FRAMES SIZE STEPS GUIDANCE FORCE BLUR URL ENDPOINT LIKENESS SHARDS VERSION REASON OWED WHO TO FROM
$(foreach name,$(WRITTEN),$(if $(value $(name)),$(eval override $(name) := $$(value $(name)))$(eval export $(name))))
# UV=1 installs with uv, which must be on PATH; pip otherwise.
ifeq ($(UV),1)
MAKE_VENV = uv venv --quiet --seed --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV)
INSTALL = uv pip install --quiet --python $(BIN)/python
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
endif

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DAGSTER_HOME := $(CURDIR)/work/dagster
export DAGSTER_MODULE_NAME := orchestration.definitions
export DAGSTER_DISABLE_TELEMETRY := 1
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export HF_HUB_DISABLE_TELEMETRY := 1
export GOMP_SPINCOUNT ?= 10000
# Many short processes run here; without Python's byte code each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run dev serve team team-user backup restore generate judges filters eight-bit matte postgres cluster ray s3 s3-test consisid remote push pull prune doctor releases promote rollback pin unpin test test-slow test-endurance test-figures lint figures figure8 figure9 figure14 figure16 gamma masks methods protocol subjects facesize page card weights example clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once; a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": name another with make PYTHON=...") if sys.version_info < (3, 11) else None'
	@$(ALIVE) || { rm -rf $(VENV) && $(MAKE_VENV); }
	@# the lock is whole, so nothing is resolved; a CUDA build of torch brings libraries of its own
	@$(INSTALL) --no-deps -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m orchestration.consistent 2>/dev/null || { \
		$(INSTALL) -c requirements.lock $$(grep '^torch==' requirements.lock) && $(BIN)/python -m orchestration.consistent; }
	@touch $(STAMP)

# An environment whose Python is gone (another machine, another Python) is made again.
ifneq ($(shell $(ALIVE) && echo alive),alive)
.PHONY: $(STAMP)
endif

setup: $(STAMP) ## Make the virtual environment from the lock file
	@$(LATER) $(BIN)/python -m orchestration.venv
	@$(LATER) $(BIN)/python -m orchestration.home
	@# earlier releases hid dvc.lock from git, and DVC's experiments then lost it (docs/decisions/dvc-lock.md)
	@git ls-files --error-unmatch dvc.lock >/dev/null 2>&1 && git update-index --no-skip-worktree dvc.lock || true

run: setup ## Run the whole pipeline (SOURCES=folder FACEPACK=pack CONSENT='basis' for your own media; STRICT=1)
ifdef SOURCES
	@$(BIN)/python -m mm_model use --sources="$$SOURCES" $${FACEPACK:+--facepack="$$FACEPACK"} $${CONSENT:+--consent="$$CONSENT"}
endif
ifdef PROFILE
	@$(BIN)/python -m mm_model use --profile="$$PROFILE"
endif
	@# STRICT=1: what other code made than lies here now is made again
	@$${STRICT:+env MM_STRICT="$$STRICT"} $(LATER) $(BIN)/python -m orchestration.run

dev: setup ## Serve Dagster's web page on the graph at 127.0.0.1:$(DEV_PORT)
	@# a module and a workspace file exclude each other
	@env -u DAGSTER_MODULE_NAME $(BIN)/dagster dev -w workspace.yaml --host 127.0.0.1 --port $(DEV_PORT)

serve: setup ## Serve the champion on 127.0.0.1:$(PORT)
	@$(BIN)/python -m mm_model serve --port $(PORT)

team: setup ## Serve Dagster, MLflow and the door to a team, behind a password (docs/team.md)
	@$(LATER) $(BIN)/python -m orchestration.team start

team-user: setup ## Give somebody a password for them (WHO=ada; asked for, or read as a line)
	@[ -n "$$WHO" ] || { echo "Whose? make team-user WHO=ada"; exit 1; }
	@$(BIN)/python -m orchestration.team let-in -- "$$WHO"

backup: setup ## Save the tree, its books and its registry to a new folder (TO=/folder)
	@[ -n "$$TO" ] || { echo "Where to? make backup TO=/folder, on another disk"; exit 1; }
	@$(LATER) $(BIN)/python -m orchestration.backup save --to="$$TO"

restore: setup ## Bring a backup into this empty clone (FROM=/folder/of-a-backup)
	@[ -n "$$FROM" ] || { echo "From where? make restore FROM=/folder/2026-11-30T02-00-00Z"; exit 1; }
	@$(LATER) $(BIN)/python -m orchestration.backup restore --from="$$FROM"

# Extras of pyproject.toml alone: their packages need none that neither they nor the lock hold.
EXTRAS = $(BIN)/python -c 'import sys, tomllib; known = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; print(*(one for name in sys.argv[1:] for one in known[name]))'

judges: setup ## Put dlib's recogniser on the shelf of judges, or an InsightFace pack (FACEPACK=pack)
ifdef FACEPACK
	@$(LATER) $(BIN)/python -m mm_model judges --facepack="$$FACEPACK"
else
	@$(INSTALL) --no-deps --no-build-isolation $$($(EXTRAS) dlib)
	@$(LATER) $(BIN)/python -m mm_model judges
endif

filters: setup ## Install what reads text, scores nudity and quality (ingest.text_second_look, nsfw_above, quality_above)
	@$(INSTALL) --no-deps $$($(EXTRAS) ocr nsfw quality)
	@$(LATER) $(BIN)/python -m mm_model filters

eight-bit: setup ## Install what keeps the optimiser's moments in 8 bits (optimizer: adamw8bit)
	@$(INSTALL) --no-deps $$($(EXTRAS) eight-bit)

matte: setup ## Install what runs a light matte of persons (learn-subject --segment matte)
	@$(INSTALL) --no-deps $$($(EXTRAS) matte)

postgres: setup ## Install what speaks to PostgreSQL (MM_CATALOGUE_URL, docs/catalogue.md)
	@$(INSTALL) --no-deps $$($(EXTRAS) postgres)

ray: setup ## Install what works on several machines (MM_POOL=ray, docs/decisions/ray.md)
	@$(INSTALL) --no-deps $$($(EXTRAS) ray)

cluster: setup ## Install what lets several trees share Dagster's books (MM_DAGSTER_URL, docs/object-store.md)
	@$(INSTALL) --no-deps $$($(EXTRAS) postgres cluster)

s3: setup ## Install what speaks to an object store (make remote, push, pull; docs/object-store.md)
	@$(INSTALL) --no-deps $$($(EXTRAS) s3)

s3-test: setup ## The same, and the server that its tests start
	@$(INSTALL) --no-deps $$($(EXTRAS) s3 s3-test)

consisid: setup ## Install what reads faces for ConsisID (generate --method consisid, docs/public-weights.md)
	@$(INSTALL) --no-deps $$($(EXTRAS) consisid)

remote: setup ## Name a store (URL=s3://bucket/prefix or a folder ENDPOINT=http://host:port LIKENESS=s3://...)
	@$(BIN)/python -m orchestration.remote set $${URL:+--url="$$URL"} $${LIKENESS:+--likeness="$$LIKENESS"} $${ENDPOINT:+--endpoint="$$ENDPOINT"}

NAMED = $${URL:+--url="$$URL"} $${LIKENESS:+--likeness="$$LIKENESS"} $${ENDPOINT:+--endpoint="$$ENDPOINT"}
push: setup ## Push what was made, and then dvc.lock, to the store (URL=... names it first)
	@$(LATER) $(BIN)/python -m orchestration.remote push $(NAMED)

pull: setup ## Bring what was pushed, and its dvc.lock, here (URL=store of a fresh clone; PROFILE=; SHARDS=0: not training's)
	@case "$$URL" in s3://*) $(BIN)/python -c 'import boto3, dvc_s3' 2>/dev/null || $(INSTALL) --no-deps $$($(EXTRAS) s3);; esac
ifdef PROFILE
	@$(BIN)/python -m mm_model use --profile="$$PROFILE"
endif
	@$(LATER) $(BIN)/python -m orchestration.remote pull $(NAMED) $$([ "$$SHARDS" = 0 ] && echo --without-shards)

prune: setup ## Delete from the object store and the cache what no lock names any more
	@$(LATER) $(BIN)/python -m orchestration.remote prune

doctor: setup ## Look for what is wrong here, and say what mends it
	@$(BIN)/python -m orchestration.doctor

releases: setup ## List the registered versions and who chose the champion (OWED=1: terms, withdrawn samples)
	@$(BIN)/python -m mm_model releases $$([ "$$OWED" = 1 ] && echo --owed)

rollback: setup ## Make the champion before this one champion again and pin it (VERSION=2 REASON='why')
	@$(BIN)/python -m mm_model rollback $${VERSION:+--to="$$VERSION"} $${REASON:+--reason="$$REASON"}

promote: setup ## Make a version champion, whatever the rule says, and pin it (VERSION=3 REASON='why')
	@[ -n "$$VERSION" ] || { echo "Which version? make promote VERSION=3 REASON='why' (make releases lists them)"; exit 1; }
	@$(BIN)/python -m mm_model promote "$$VERSION" $${REASON:+--reason="$$REASON"}

pin: setup ## Pin the champion as it stands, so that no newcomer takes its place (REASON='why')
	@$(BIN)/python -m mm_model pin $${REASON:+--reason="$$REASON"}

unpin: setup ## Let the promotion rule choose the champion again
	@$(BIN)/python -m mm_model unpin

generate: setup ## Make a video (REF=photo or folder PROMPT='a woman smiles' CONSENT=self:me OUT=out.mp4 SEED=7)
	@$(LATER) $(BIN)/python -m mm_model generate $${REF:+--ref="$$REF"} $${PROMPT:+--prompt="$$PROMPT"} \
		$${CONSENT:+--consent="$$CONSENT"} $${OUT:+--out="$$OUT"} $${SEED:+--seed="$$SEED"} $${ADAPTER:+--adapter="$$ADAPTER"} \
		$${FACEPACK:+--facepack="$$FACEPACK"} $${FRAMES:+--frames="$$FRAMES"} $${SIZE:+--size="$$SIZE"} \
		$${STEPS:+--steps="$$STEPS"} $${GUIDANCE:+--guidance="$$GUIDANCE"} $$([ "$$FORCE" = 1 ] && echo --force)

example: setup ## Write an example request for the served model
	@$(BIN)/python -m mm_model example

figures: setup ## Print the last run's figures as JSON (AGAINST=docs/runs/tiny.json compares them)
	@$(BIN)/python -m mm_model figures $${AGAINST:+--against "$$AGAINST"}

figure8: setup ## Measure again that CAN learns faster (figure 8; about five minutes; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce figure8

figure9: setup ## Show the modulation's scales by layer and timestep (figure 9)
	@$(LATER) $(BIN)/python -m mm_model.reproduce figure9

figure14: setup ## Train the modulation alone on two sets of data (figure 14; some minutes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce figure14

figure16: setup ## Show clips, pictures, shots and words of style of a held-out person (figures 16 and 17)
	@$(LATER) $(BIN)/python -m mm_model.reproduce figure16

gamma: setup ## Show motion and identity against the correlation of the frames' noise (some minutes; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce gamma

masks: setup ## Learn drawn people with true masks and without: background, motion, smoothness (40 minutes; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce masks

methods: setup ## Compare Magic Mirror, tokens of a subject, and both, on the same people (a quarter of an hour; TIER=smoke; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce methods $${TIER:+--tier "$$TIER"}

protocol: setup ## Run Magic-Me's protocol with its two ablations (TIER=smoke, quick or paper; CLIP=DIR DINO=DIR; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce protocol $${TIER:+--tier "$$TIER"} $${CLIP:+--clip "$$CLIP"} $${DINO:+--dino "$$DINO"}

subjects: setup ## Learn drawn people, cups and toys by their tokens, against the plain base (a quarter of an hour; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce subjects

facesize: setup ## Redraw small faces of drawn people by Face VCD: identity against the face's size (20 minutes; resumes)
	@$(LATER) $(BIN)/python -m mm_model.reproduce facesize

page: setup ## Rebuild the report page
	@$(BIN)/python -m mm_model page

card: setup ## Write the dataset card (OUT=card.html BLUR=1)
	@$(BIN)/python -m mm_model dataset-card $${OUT:+"$$OUT"} $$([ "$$BLUR" = 1 ] && echo --blur)

# Tests run in worker processes: one that dies (a crash in native code) is one failed test by name, and
# the rest goes on. worksteal keeps a file's tests together and never starts the dead test again.
PYTEST = $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal --max-worker-restart 100

.PHONY: browser
browser: setup ## Install what tests of the report page need besides Debian's chromium
	@command -v chromium >/dev/null || { echo "There is no chromium: apt-get install chromium"; exit 1; }
	@command -v npm >/dev/null || { echo "There is no npm: apt-get install npm"; exit 1; }
	@npm ci --silent --no-audit --no-fund --prefix tests/report

test: setup ## Run all tests (but those that take minutes)
	@$(PYTEST)

test-slow: setup ## Run the tests that take minutes
	@$(PYTEST) -m 'slow and not endurance and not figures'

test-endurance: setup ## Run the repetitions that take up to an hour
	@$(PYTEST) -m endurance

test-figures: run ## Run the main job and hold its figures against the stored run's
	@$(PYTEST) -m figures

lint: setup ## Check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

weights: setup ## Train the embedded default's weights again (some hours; resumes)
	@$(BIN)/python -m mm_model.embedded.training

clean: ## Remove what the pipeline wrote (not the environment, nor the consents in work/likeness)
	rm -rf data reports mlruns mlflow.db
	@[ ! -d work ] || find work -mindepth 1 -maxdepth 1 ! -name likeness -exec rm -rf {} +
