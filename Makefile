# SPDX-License-Identifier: Apache-2.0
# CloudTaser. `make help` lists the targets; CI calls the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CACHE := $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/cloudtaser
OPENBAO := $(CACHE)/openbao/bao
KUBERNETES_VALIDATE := $(CACHE)/kubernetes-validate
KUBERNETES := $(CACHE)/kubernetes
REGISTRY := $(CACHE)/registry/docker-registry
S3 := $(CACHE)/s3
MANIFEST_TOOLS := $(CACHE)/manifest-tools
PROMTOOL := $(CACHE)/promtool/promtool
HELM := $(CACHE)/helm/helm
EVIDENCE_TOOLS := $(CACHE)/evidence-tools
RELEASE_TOOLS := $(CACHE)/release-tools
KERNELS := $(CACHE)/kernels
STATIC := .build/static
# Small before fast: the wrapper is part of every injected container. LLD, because it can fold equal
# code and leave out the table that finds stack frames, which nothing here unwinds.
STATIC_FLAGS := -c release --scratch-path $(STATIC) -Xswiftc -static-executable -Xswiftc -Osize \
	-Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=safe -Xlinker --no-eh-frame-hdr \
	-Xlinker -s
# The wrapper has one thread and no C++ that throws.
STATIC_FLAGS_cloudtaser-wrapper := -Xlinker -T \
	-Xlinker $(CURDIR)/Sources/System/without-unwind-tables.lds
STATIC_PROGRAMS := cloudtaser-wrapper cloudtaser-agent attack demo-application guest-init
PROGRAMS := cloudtaser-wrapper cloudtaser-agent cloudtaser-operator cloudtaser-s3-proxy cloudtaser
# What each program is built from: an edited test builds no wrapper.
BUILT_FROM_cloudtaser-wrapper := Sources
BUILT_FROM_cloudtaser-agent := Sources
BUILT_FROM_cloudtaser-operator := Sources
BUILT_FROM_cloudtaser-s3-proxy := Sources
BUILT_FROM_cloudtaser := Sources Simulation
BUILT_FROM_attack := Sources vm-tests
BUILT_FROM_demo-application := Sources vm-tests
BUILT_FROM_guest-init := Sources Simulation vm-tests Tests/Support
sources = $(shell find $(BUILT_FROM_$(1)) -type f -not -name '*.py' -not -name '*.pyc') \
	Package.swift $(wildcard Package.resolved)
SWIFT_FOLDERS := Package.swift Sources Simulation Tests vm-tests
EVIDENCE := build/evidence

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-zA-Z0-9/-]*:.*## ' $(MAKEFILE_LIST) | sort | \
		awk -F ':.*## ' '{ printf "  make %-22s %s\n", $$1, $$2 }'

.PHONY: setup
setup: ## Install what building and testing needs (Debian packages; needs root once)
	@.ci/setup build

.PHONY: build
build: $(addprefix build/,$(PROGRAMS)) ## Build every release program into build/

# Without the debugging data of Swift's run-time, a quarter to a third of each file, and with the symbols
# that the trace of a crash needs.
kept = mkdir -p build && strip --strip-debug -o $@.new \
	"$$(swift build -c release --show-bin-path)/$(1)" && mv $@.new $@

# As the operator: it runs in an image too.
build/cloudtaser: $(call sources,cloudtaser)
	swift build -c release --static-swift-stdlib --product cloudtaser
	@$(call kept,cloudtaser)

# With Swift's run-time inside: its image needs the C library and nothing else.
build/cloudtaser-operator: $(call sources,cloudtaser-operator)
	swift build -c release --static-swift-stdlib --product cloudtaser-operator
	@$(call kept,cloudtaser-operator)

# As the operator, and with OpenSSL as a shared library: for what it says to the vault. Bound at its start: the
# dynamic linker saves registers, with what is left of keys in them, at the first call of a function otherwise.
build/cloudtaser-s3-proxy: $(call sources,cloudtaser-s3-proxy)
	swift build -c release --static-swift-stdlib -Xlinker -z -Xlinker now --product cloudtaser-s3-proxy
	@$(call kept,cloudtaser-s3-proxy)

# Goes into every injected container: its size is a promise.
WRAPPER_BYTES_MAX := 12000000

$(foreach program,$(STATIC_PROGRAMS),\
	$(eval build/$(program): $(call sources,$(program))))

$(addprefix build/,$(STATIC_PROGRAMS)): build/%:
	swift build $(STATIC_FLAGS) $(STATIC_FLAGS_$*) --product $*
	@mkdir -p build && cp "$$(swift build $(STATIC_FLAGS) --show-bin-path)/$*" $@.new && mv $@.new $@
	@touch $@
	@if [ $* = cloudtaser-wrapper ] && [ $$(stat -c %s $@) -gt $(WRAPPER_BYTES_MAX) ]; then \
		echo "$@ is larger than $(WRAPPER_BYTES_MAX) bytes; what links a new library?" >&2; \
		mv $@ $@.too-large; exit 1; fi

build/neighbour.bpf.o: Tests/Programs/neighbours/neighbour.bpf.c bpf/Makefile
	@$(MAKE) --no-print-directory -C bpf neighbour OUT=$(abspath build)

RELEASE := build/release
RELEASE_PROGRAM = $(RELEASE_TOOLS)/bin/python3 -B deploy/release/release.py

# Of the versions in deploy/release/dependencies.json, whatever is newer: docs/how-to/release.md.
.PHONY: release
release: setup release-tools ## Programs of pinned packages, their parts and checksums, in build/release
	@$(RELEASE_PROGRAM) pin
	swift package resolve --force-resolved-versions
	@$(RELEASE_PROGRAM) lock --check
	@$(MAKE) --no-print-directory build
	rm -rf $(RELEASE)
	@$(RELEASE_PROGRAM) collect build $(RELEASE)

.PHONY: release-check
release-check: release-tools ## Verify build/release: checksums, and the list of parts
	@$(RELEASE_PROGRAM) check $(RELEASE)

.PHONY: test-release
test-release: setup release-tools ## Releases of dummy programs, and whether the locked parts are the manifest's
	@$(RELEASE_TOOLS)/bin/python3 -B deploy/release/run_tests.py

.PHONY: release-tools
release-tools:
	@.ci/fetch-release-tools $(RELEASE_TOOLS)

.PHONY: demo
demo: setup ## The whole story on one machine: found, converted, injected, attacked, audited
	@.ci/setup demo
	@.ci/fetch-s3 $(S3) rclone
	@$(MAKE) --no-print-directory cluster-programs build/attack
	@$(E2E) CLOUDTASER_ATTACK=build/attack CLOUDTASER_S3=$(S3) CLOUDTASER_KERNELS=$(KERNELS) \
		$(MANIFEST_TOOLS)/bin/python3 -B e2e/story.py

.PHONY: demo-attacks
demo-attacks: setup $(OPENBAO) ## Its attacks alone: a secret from a real vault, attacked as root
	@.ci/setup demo
	@$(MAKE) --no-print-directory build/cloudtaser-wrapper build/attack build/demo-application
	@python3 vm-tests/demo.py --wrapper build/cloudtaser-wrapper --attack build/attack \
		--application build/demo-application --openbao $(OPENBAO) \
		--expected Fixtures/demo/expected.json

# Clients and servers with times of their own: they have a run of their own, so that nobody who computes
# holds both threads meanwhile.
ON_THE_CLOCK := ^(AdmissionServer|KubernetesHTTP|Kubeconfig|NodeAgentHTTP|ObjectServer|OCIRegistry|OperatorProgram|S3HTTP|S3ProxyProgram|VaultCustody)Tests\.|Real(Token)?RegistryTests|Real(Rclone|Moto)StoreTests
# Without a limit all tests begin at once and share two threads: what waits for an answer gets its turn
# when hundreds of others have had theirs.
TESTS_AT_ONCE := 8
SERVERS = SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(TESTS_AT_ONCE) CLOUDTASER_OPENBAO=$(OPENBAO) CLOUDTASER_KUBERNETES_VALIDATE=$(KUBERNETES_VALIDATE) \
	CLOUDTASER_KUBERNETES=$(KUBERNETES) CLOUDTASER_REGISTRY=$(REGISTRY) CLOUDTASER_S3=$(S3) \
	CLOUDTASER_EVIDENCE_DIR=$(abspath $(EVIDENCE))

.PHONY: test
test: setup $(OPENBAO) $(KUBERNETES_VALIDATE) ## All tests that need no virtual machine, with the real servers
	@.ci/setup test
	@.ci/fetch-kubernetes $(KUBERNETES)
	@.ci/fetch-registry $(REGISTRY)
	@.ci/fetch-s3 $(S3)
	@mkdir -p $(EVIDENCE)
	$(SERVERS) swift test --skip '$(ON_THE_CLOCK)'
	$(SERVERS) swift test --skip-build --filter '$(ON_THE_CLOCK)'

# Debian's own interpreter: the package belongs to it.
.PHONY: test-ct1
test-ct1: ## The vectors of sealed objects, by a decoder in Python
	@.ci/setup ct1
	@/usr/bin/python3 -B Tests/ct1/ct1.py check Fixtures/ct1

$(OPENBAO):
	@.ci/fetch-openbao $@

$(KUBERNETES_VALIDATE):
	@.ci/fetch-kubernetes-validate $@

SEEDS := 10000

.PHONY: soak
soak: setup build/cloudtaser ## SEEDS=10000 seeds of this commit in each scenario; writes docs/reference/soak.md
	python3 Tests/Benchmarks/soak.py --program build/cloudtaser --seeds $(SEEDS) \
		$(addprefix --scenario ,$(SCENARIOS))

# `make test` plays a few seeds of them twice, without optimisation.
LONG_SCENARIOS := leader-election webhook-certificates admission protection-reports object-proxy

# Seeds that every run of the continuous integration plays; the next target and `make soak` explore
# others.
.PHONY: simulation
simulation: setup build/cloudtaser ## The simulator's canaries, 500 fixed seeds, and 50 of them twice
	build/cloudtaser simulate --first-seed 1 --seeds 500
	build/cloudtaser simulate --scenario leader-election --first-seed 1 --seeds 200
	build/cloudtaser simulate --scenario webhook-certificates --first-seed 1 --seeds 100
	build/cloudtaser simulate --scenario admission --first-seed 1 --seeds 500
	build/cloudtaser simulate --scenario registry-lookups --first-seed 1 --seeds 100
	build/cloudtaser simulate --scenario protection-reports --first-seed 1 --seeds 200
	build/cloudtaser simulate --scenario object-proxy --first-seed 1 --seeds 500
	@python3 -B Tests/Determinism/twice.py --program build/cloudtaser --seeds 50 \
		$(addprefix --scenario ,$(LONG_SCENARIOS))

# .ci/run makes a warning of a failure: docs/adr/0007-seeds-of-a-commit-warn.md.
.PHONY: simulation-of-commit
simulation-of-commit: setup build/cloudtaser ## 500 seeds that the commit's name decides
	build/cloudtaser simulate --seeds 500 --commit $$(git rev-parse HEAD)

# The programs as `make test` has built them: they are asked what they are linked with, and the S3 proxy has to take the
# chart's settings.
.PHONY: test-manifests
test-manifests: setup ## The chart, its CRDs and every manifest of deploy/, with a real API server
	@.ci/setup manifests
	@.ci/fetch-manifest-tools $(MANIFEST_TOOLS)
	@.ci/fetch-promtool $(PROMTOOL)
	@.ci/fetch-kubernetes $(KUBERNETES)
	swift build --product cloudtaser-s3-proxy
	swift build --product cloudtaser
	swift build --product cloudtaser-agent
	@CLOUDTASER_KUBERNETES=$(KUBERNETES) CLOUDTASER_PROMTOOL=$(PROMTOOL) \
		CLOUDTASER_S3_PROXY="$$(swift build --show-bin-path)/cloudtaser-s3-proxy" \
		CLOUDTASER_TOOL="$$(swift build --show-bin-path)/cloudtaser" \
		$(MANIFEST_TOOLS)/bin/python3 deploy/tests/run.py

# The operator and the proxy as `make test` has built them: a release build would take longer than the tests.
E2E = CLOUDTASER_KUBERNETES=$(KUBERNETES) CLOUDTASER_OPENBAO=$(OPENBAO) CLOUDTASER_HELM=$(HELM) \
	CLOUDTASER_OPERATOR="$$(swift build --show-bin-path)/cloudtaser-operator" \
	CLOUDTASER_TOOL="$$(swift build --show-bin-path)/cloudtaser" \
	CLOUDTASER_S3_PROXY="$$(swift build --show-bin-path)/cloudtaser-s3-proxy" \
	CLOUDTASER_WRAPPER=build/cloudtaser-wrapper \
	CLOUDTASER_APPLICATION=build/demo-application \
	CLOUDTASER_EVIDENCE_DIR=$(abspath $(EVIDENCE))

.PHONY: e2e-programs
e2e-programs:
	@.ci/setup e2e
	@$(MAKE) --no-print-directory cluster-programs

.PHONY: cluster-programs
cluster-programs: $(OPENBAO)
	@.ci/fetch-manifest-tools $(MANIFEST_TOOLS)
	@.ci/fetch-kubernetes $(KUBERNETES)
	@.ci/fetch-helm $(HELM)
	@$(MAKE) --no-print-directory build/cloudtaser-wrapper build/demo-application
	swift build --product cloudtaser-operator
	swift build --product cloudtaser-s3-proxy
	swift build --product cloudtaser
	@mkdir -p $(EVIDENCE)

.PHONY: e2e-kubernetes
e2e-kubernetes: e2e-programs ## The operator and an injected container, with a real API server and vault
	@$(E2E) $(MANIFEST_TOOLS)/bin/python3 e2e/run.py

# Without a writer of __pycache__: what is tested is what is committed.
E2E_S3 = CLOUDTASER_S3=$(S3) CLOUDTASER_OPENBAO=$(OPENBAO) CLOUDTASER_EVIDENCE_DIR=$(abspath $(EVIDENCE)) \
	python3 -B e2e-s3/run.py

.PHONY: e2e-s3-servers
e2e-s3-servers: $(OPENBAO)
	@.ci/setup e2e-s3
	@.ci/fetch-s3 $(S3)
	@e2e-s3/setup $(S3)

.PHONY: e2e-s3
e2e-s3: setup e2e-s3-servers ## The S3 proxy with a real vault, real stores and real clients
	swift build --product cloudtaser-s3-proxy
	@CLOUDTASER_S3_PROXY=.build/debug/cloudtaser-s3-proxy $(E2E_S3) $(E2E_S3_MODULES)

.PHONY: e2e-s3-control
e2e-s3-control: e2e-s3-servers ## The same tests without the proxy: which of them tell that it is missing
	@E2E_S3_CONTROL=1 $(E2E_S3) $(E2E_S3_MODULES)

# A landed version that users may have.
BEFORE := 9556dcb

.PHONY: e2e-upgrade
e2e-upgrade: e2e-programs ## From the operator of commit BEFORE to this one and back, under load
	@.ci/build-operator $(BEFORE) $(CACHE)/operator/$(BEFORE)
	@$(E2E) CLOUDTASER_BEFORE=$(CACHE)/operator/$(BEFORE) \
		$(MANIFEST_TOOLS)/bin/python3 e2e/run.py upgrade_under_load

.PHONY: generate-manifests
generate-manifests: ## Write deploy/kustomize/base anew from the chart
	@.ci/fetch-manifest-tools $(MANIFEST_TOOLS)
	$(MANIFEST_TOOLS)/bin/python3 deploy/kustomize/render.py

.PHONY: vm-test
vm-test: ## Boot real kernels in QEMU; run the wrapper and attacks there
	@.ci/setup vm
	@python3 vm-tests/kernels.py --cache $(KERNELS)
	@$(MAKE) --no-print-directory $(addprefix build/,$(STATIC_PROGRAMS)) build/neighbour.bpf.o
	$(CLOUDTASER) simulate --matrix -o json > build/attack-matrix.json
	@python3 vm-tests/run.py --kernels $(KERNELS) --evidence $(EVIDENCE) \
		--matrix build/attack-matrix.json

.PHONY: vm-demo
vm-demo: ## The demonstration's attacks inside a guest, where this host refuses them
	@.ci/setup vm
	@python3 vm-tests/kernels.py --cache $(KERNELS)
	@$(MAKE) --no-print-directory $(addprefix build/,$(STATIC_PROGRAMS)) build/neighbour.bpf.o
	@python3 vm-tests/run.py --kernels $(KERNELS) --demo Fixtures/demo/expected.json

.PHONY: check
check: setup format-check generated-check ## Format, architecture, docs, generated files
	swift test --filter ArchitectureTests

.PHONY: format
format: ## Format the Swift sources in place
	swift format -i -r $(SWIFT_FOLDERS)

.PHONY: format-check
format-check:
	swift format lint -r --strict $(SWIFT_FOLDERS)
	@echo "format: clean"

CLOUDTASER := swift run --quiet cloudtaser

.PHONY: generate
generate: setup ## Regenerate every committed generated file
	@$(MAKE) --no-print-directory -C bpf
	$(CLOUDTASER) evidence build --catalogue Fixtures/compliance --out docs/compliance
	$(CLOUDTASER) reference exit-codes --out docs/reference/exit-codes.md
	$(CLOUDTASER) reference findings --out docs/reference/findings
	$(CLOUDTASER) reference events --out docs/reference
	$(CLOUDTASER) reference score --out docs/reference/score.md
	python3 vm-tests/cost_report.py page

.PHONY: generated-check
generated-check:
	$(CLOUDTASER) evidence check --catalogue Fixtures/compliance --pages docs/compliance
	$(CLOUDTASER) reference exit-codes --out docs/reference/exit-codes.md --check
	$(CLOUDTASER) reference findings --out docs/reference/findings --check
	$(CLOUDTASER) reference events --out docs/reference --check
	$(CLOUDTASER) reference score --out docs/reference/score.md --check
	@# After a build: it needs headers of a package.
	@$(MAKE) --no-print-directory -C bpf check
	@python3 vm-tests/cost_report.py page --check

.PHONY: evidence
evidence: setup $(OPENBAO) ## Evidence packages, read and refused by tools that others wrote
	@.ci/setup evidence
	@.ci/fetch-evidence-tools $(EVIDENCE_TOOLS)
	swift build --product cloudtaser
	@CLOUDTASER_EVIDENCE_DIR=$(abspath $(EVIDENCE)) $(EVIDENCE_TOOLS)/bin/python3 -B Tests/evidence/run.py \
		--program "$$(swift build --show-bin-path)/cloudtaser" --openbao $(OPENBAO)

.PHONY: evidence-report
evidence-report: ## Print the evidence records of the last runs; fails on a missing one
	$(CLOUDTASER) evidence report --records $(EVIDENCE) --max-age-days 30 $(if $(COMMIT),--commit $(COMMIT))

.PHONY: runtimes
runtimes: setup ## Measure which runtimes copy values; writes docs/reference/runtimes.md
	swift build --product delivery-harness
	python3 vm-tests/runtimes.py

.PHONY: bench
bench: setup $(OPENBAO) build/cloudtaser-wrapper build/cloudtaser-operator build/cloudtaser-s3-proxy \
		build/guest-init build/cloudtaser ## Ratios against named alternatives
	@.ci/setup vm
	@.ci/fetch-s3 $(S3)
	@python3 vm-tests/kernels.py --cache $(KERNELS)
	python3 Tests/Benchmarks/bench.py

.PHONY: clean
clean: ## Remove build products (caches stay)
	rm -rf build .build
