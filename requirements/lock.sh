#!/bin/sh
# Writes every lock file anew: versions and hashes, no addresses. Needs uv.
set -eu
cd "$(dirname "$0")/.."

lock() {
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links "$@"
}

lock --group dev --output-file requirements/dev.lock pyproject.toml
lock --output-file requirements/runtime.lock pyproject.toml
# The images have what their service imports, at the versions that were tested.
for service in producer sink; do
    lock --constraints requirements/runtime.lock \
        --output-file "requirements/$service.lock" "requirements/$service.in"
done
# What compiles, where nothing else does: at the version that development has.
lock --constraints requirements/dev.lock \
    --output-file requirements/compiler.lock requirements/compiler.in
