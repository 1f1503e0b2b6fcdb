# Noria as a service: a process set (docs/deploy.md) that gets its stores from the environment.
#   docker build -t noria .                              a registry of your own: --secret id=pip,src=pip.conf
# Pin the base for builds that must repeat: --build-arg PYTHON=python:3.11-slim-bookworm@sha256:…
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
RUN python3 -m venv /opt/tools && python3 -m venv /opt/noria
COPY requirements/dev.lock requirements/image.lock requirements/
# every file by its hash, wheels alone: nothing is compiled, no script of a package runs
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    awk '/^[a-z]/ {keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/} keep' requirements/dev.lock \
        > requirements/build.lock \
    && /opt/tools/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements/build.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    /opt/noria/bin/pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements/image.lock
COPY pyproject.toml README.md LICENSE ./
# the package carries it, by a link
COPY requirements/label-studio.lock requirements/
COPY src src
RUN /opt/tools/bin/hatchling build -t wheel -d dist \
    && /opt/noria/bin/pip install --no-cache-dir --no-deps --no-index dist/*.whl
# agents with an encoder need it where they serve; ENCODER=none leaves it out
ARG ENCODER=minilm
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    mkdir -p /opt/noria/cache \
    && if [ "$ENCODER" != none ]; then NORIA_CACHE=/opt/noria/cache /opt/noria/bin/noria encoder add "$ENCODER"; fi
RUN /opt/noria/bin/pip uninstall --quiet --yes pip setuptools

FROM ${PYTHON}
RUN groupadd --gid 10001 noria \
    && useradd --uid 10001 --gid noria --no-create-home --home-dir /var/lib/noria --shell /usr/sbin/nologin noria \
    && install -d -o noria -g noria /var/lib/noria /var/lib/noria/home /var/lib/noria/tmp
COPY --from=build /opt/noria /opt/noria
ENV PATH=/opt/noria/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    NORIA_HOME=/var/lib/noria/home \
    NORIA_CACHE=/opt/noria/cache \
    NORIA_SERVE_HOST=0.0.0.0 \
    TMPDIR=/var/lib/noria/tmp
USER 10001:10001
# the only place that is written to; declared, so that a volume there belongs to the user
VOLUME ["/var/lib/noria"]
EXPOSE 8420
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8420/v1/health/live', timeout=4)"]
CMD ["sh", "-c", "mkdir -p \"$TMPDIR\" && noria init \"$NORIA_HOME\" && exec noria deploy local up"]
