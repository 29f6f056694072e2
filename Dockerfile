# syntax=docker/dockerfile:1
# The worker, for CUDA and for the CPU:  docker build --tag loop26:0.1.0 .
#
# Base: torch's wheels bring CUDA's libraries themselves (about 3 GB of nvidia-*), and the driver comes
# from the host through NVIDIA's container toolkit. NVIDIA's "runtime" images would hold the same
# libraries a second time, so this is the "base" one. It says which drivers will do
# (NVIDIA_REQUIRE_CUDA), so that the toolkit refuses a host with an older one in plain words, which GPUs
# and which parts of the driver are wanted, and brings cuda-compat for older data centre drivers. Of
# CUDA 13.0, not of the wheels' 13.2: by CUDA's minor version compatibility any driver of 13 runs them.
FROM nvidia/cuda:13.0.1-base-ubuntu24.04 AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Not pinned: Ubuntu's archive keeps no older versions, so a pin breaks the next build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 tini \
    && rm -rf /var/lib/apt/lists/*

FROM base AS python
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*

# Some gigabytes, and the same until the pins change.
FROM python AS dependencies
COPY requirements/worker.txt /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/loop26 \
    && /opt/loop26/bin/pip install --require-hashes --requirement /requirements/worker.txt

FROM python AS package
COPY requirements/tools.txt /requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/tools \
    && /opt/tools/bin/pip install --require-hashes --requirement /requirements/tools.txt
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY telemetry telemetry
COPY worker worker
RUN /opt/tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM base
# By number, so that Kubernetes can see that it is not root; 0 where a host's volumes are root's alone
# (--build-arg WORKER_UID=0).
ARG WORKER_UID=10001
RUN groupadd --gid 10001 loop26 \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/loop26 loop26 \
    && install --directory --mode 0700 --owner "$WORKER_UID" --group 10001 \
        /var/lib/loop26 /var/cache/loop26
COPY --from=dependencies /opt/loop26 /opt/loop26
# A layer of some megabytes: a new version of loop26 moves no more than this. Modules are compiled here,
# since nothing can be written beside them later.
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    /opt/loop26/bin/pip install --no-cache-dir --no-index --no-deps /wheels/*.whl

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="loop26" \
    org.opencontainers.image.description="A GPU worker for video generation queues in which every failure names its own line" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION" \
    org.opencontainers.image.base.name="docker.io/nvidia/cuda:13.0.1-base-ubuntu24.04"

ENV PATH="/opt/loop26/bin:$PATH" \
    LANG=C.UTF-8 \
    LOOP26_HOME=/var/lib/loop26 \
    HF_HOME=/var/cache/loop26/huggingface \
    XDG_CACHE_HOME=/var/cache/loop26
# The home: the queue, journals (spool/) and outputs; what a killed container leaves there is how the
# next one knows what happened. The cache: weights that were fetched, which can be fetched again.
VOLUME ["/var/lib/loop26", "/var/cache/loop26"]
USER ${WORKER_UID}:10001
WORKDIR /var/lib/loop26

# tini is process 1: it collects the zombies that a task process's children may become when it dies, and
# hands SIGTERM on to the supervisor, and to it alone: that decides what the task process is told. When
# the supervisor dies, tini ends, and with it the container.
ENTRYPOINT ["tini", "--", "loop26"]
CMD ["run"]
# Reads a status file. The supervisor is well as soon as it runs, while models still load.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["loop26", "health"]
