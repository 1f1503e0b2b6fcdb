#!/bin/sh
# Makes an environment with Sail and PySpark beside the package's own needs, for the tests and benchmarks of the cluster
# engine; Java is needed only for plain Spark. Usage: scripts/spark.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.real/spark}
stamp="$folder/.installed"
if [ -e "$stamp" ]; then
    echo "spark    already here: $folder"
    exit 0
fi
echo "spark    Sail and PySpark in $folder (700 MB)"
"${PYTHON:-.venv/bin/python}" -m venv "$folder"
"$folder/bin/python" -m pip -qq --disable-pip-version-check --no-input install --require-hashes --no-deps \
    -r requirements/runtime.lock
"$folder/bin/python" -m pip -qq --disable-pip-version-check --no-input install \
    "pysail>=0.7,<0.8" "pyspark[connect]>=4.1,<4.2" "pandas<3"
touch "$stamp"
