#!/bin/sh
# Takes out of an image's libraries what no service loads, compiles the rest, and removes pip.
set -eu
cd "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
# Arrow's own tests and headers, its RPC and its object stores.
rm -rf pyarrow/tests pyarrow/include pyarrow/src
rm -f pyarrow/*_flight* pyarrow/*_s3*
python -c 'import pyarrow, pyarrow.compute'
python -m compileall -q -j 0 .
pip uninstall --quiet --yes setuptools pip
