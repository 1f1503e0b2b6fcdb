#!/bin/sh
# Writes requirements/{runtime,dev,image,label-studio}.lock: exact versions, the sha256 of every file of each
# version, for every platform; no registry addresses, so the files install from whatever registry pip is set to.
set -eu
cd "$(dirname "$0")/.."

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
echo "lock     resolver in a temporary environment"
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/python" -m pip -qq --disable-pip-version-check install uv

# uv writes addresses only where it is asked to.
compile() {
    "$tools/bin/uv" pip compile --quiet --upgrade --universal --fork-strategy fewest --python-version 3.11 \
        --generate-hashes --no-annotate --no-header "$@"
}

echo "lock     requirements/runtime.lock"
compile pyproject.toml -o requirements/runtime.lock
# The same versions in both files: what is tested is what runs.
echo "lock     requirements/dev.lock"
compile pyproject.toml --extra postgres --group dev -c requirements/runtime.lock -o requirements/dev.lock
# What the container image holds: the extras that a service needs.
echo "lock     requirements/image.lock"
compile pyproject.toml --extra ecs --extra postgres --extra s3 -c requirements/dev.lock -o requirements/image.lock
# Label Studio lives in an environment of its own. Its "attr" is a slip of its makers: attrs provides the module.
echo "lock     requirements/label-studio.lock"
compile requirements/label-studio.in --no-emit-package attr -o requirements/label-studio.lock
