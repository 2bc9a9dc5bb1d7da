#!/bin/sh
# Writes the images' lock files from requirements/*.in, at the versions of requirements/runtime.lock.
set -eu
cd "$(dirname "$0")/.."
for service in producer sink; do
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
        --constraints requirements/runtime.lock \
        --output-file "requirements/$service.lock" "requirements/$service.in"
done
