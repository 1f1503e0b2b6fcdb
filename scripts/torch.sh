#!/bin/sh
# Puts PyTorch where the tests of the extra `accurate` find it, if pip's registry has a build for CPUs: the usual build
# is for CUDA and takes several GB, so without `NORIA_TORCH=cuda` it is left out. Usage: scripts/torch.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.real/torch}
wanted="torch==2.13.0"
python=${PYTHON:-.venv/bin/python}
pip="$python -m pip -qq --disable-pip-version-check --no-input install"
if [ -e "$folder/.installed" ]; then
    echo "torch    already here: $folder"
    exit 0
fi
report=$(mktemp)
trap 'rm -f "$report"' EXIT
if ! $pip --dry-run --no-deps --ignore-installed --report "$report" "$wanted" >/dev/null 2>&1; then
    echo "torch    not installed: pip finds no $wanted; its tests will be skipped"
    exit 0
fi
if [ "${NORIA_TORCH:-}" != cuda ] && grep -Eq '"(nvidia|cuda)' "$report"; then
    echo "torch    not installed: pip would take a CUDA build of several GB (NORIA_TORCH=cuda takes it); its tests will be skipped"
    exit 0
fi
echo "torch    $wanted in $folder (900 MB)"
rm -rf "$folder"
# beside the environment, not in it: everything else has to work without torch, and is tested so
$pip --target "$folder" "$wanted"
touch "$folder/.installed"
