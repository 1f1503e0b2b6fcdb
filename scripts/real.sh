#!/bin/sh
# Installs what some tests need beside Python: Label Studio, Spark, SeaweedFS and PyTorch in folders of their own, Debian's
# Chromium, a font to draw text with, and PostgreSQL. Without root or apt it says so and succeeds: the tests that need
# them are then skipped, with their reason.
set -eu
cd "$(dirname "$0")/.."

.venv/bin/python -m noria.app.label_studio.environment .real/label-studio
sh scripts/spark.sh .real/spark
sh scripts/seaweedfs.sh .real/seaweedfs
sh scripts/torch.sh .real/torch

packages=""
browser=""
for name in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "${NORIA_CHROMIUM:-}" ] && browser=$NORIA_CHROMIUM
[ -n "$browser" ] || packages="$packages chromium"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || [ -n "${NORIA_TEST_POSTGRES_URL:-}" ] || packages="$packages postgresql"
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || packages="$packages fonts-dejavu-core"

if [ -z "$packages" ]; then
    echo "real     already here: $browser, fonts, PostgreSQL"
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "real     not installed (needs root and apt):$packages; tests that need them will be skipped"
    exit 0
fi

echo "real     installing$packages"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of names on purpose
if ! { apt-get -qq update && apt-get -qq install -y --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "real     apt-get could not install$packages" >&2
    exit 1
fi
