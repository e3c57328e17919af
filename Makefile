# What a developer needs, in one place.

.PHONY: setup test lint

setup:            ## install what the build needs and this machine lacks
	@xtask/setup.sh host

test: setup       ## run all tests
	cargo test --doc --workspace
	cargo nextest run --workspace --no-fail-fast

lint: setup       ## formatting, lints, dependency policy
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
