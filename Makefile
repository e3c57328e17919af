# What a developer needs, in one place.

target := $(or $(CARGO_TARGET_DIR),target)
quorate := $(target)/debug/quorate

.PHONY: help setup build run demo test sim sim-long bench endurance prove-ha prove-modules lint deny

help:             ## what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 18

setup:            ## install what the build needs and this machine lacks
	@xtask/setup.sh host guest client

build: setup      ## the program, with the catalog in it
	cargo build --locked -p quorate

run: build        ## a cluster of three frontends on this machine; args=--reset starts over
	@$(quorate) dev --frontends 3 $(args)

demo: build       ## the main job shown: SQL, failover, hot swap
	@cargo run --locked --quiet -p xtask -- modules --out $(target)/modules catalog
	@xtask/demo.sh $(quorate) $(target)/modules/catalog-2.0.0.wasm

test: build       ## all tests
	@xtask/setup.sh c component
	cargo test --locked --doc --workspace
	cargo nextest run --locked --workspace --no-fail-fast

sim:              ## whole clusters in one process: 300 seeds, or one with its trace: SEED=n
	cargo run --locked --quiet -p quorate-tests --bin sim -- $(if $(SEED),--seed $(SEED),$(args))

sim-long:         ## the same for hours: MINUTES=n
	cargo run --locked --quiet -p quorate-tests --bin sim -- --minutes $(or $(MINUTES),120) --from $(or $(FROM),10000) $(args)

bench: build      ## throughput and latency beside etcd, in one interleaved run
	@xtask/setup.sh etcd
	cargo run --locked -p quorate-tests --bin bench -- $(args)

endurance: build  ## 200 cycles of kill -9 under write load; then what was lost or done twice
	cargo run --locked -p quorate-tests --bin endurance -- $(args)

prove-ha: build   ## failover, transfer, observers, membership: measured under write load, accounted
	cargo run --locked -p quorate-tests --bin prove-ha -- $(args)

prove-modules: build  ## activations and migrations under write load, accounted
	cargo run --locked -p quorate-tests --bin prove-modules -- $(args)

lint: setup       ## formatting, lints
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny:             ## dependency policy; needs cargo-deny
	cargo deny check bans licenses sources
