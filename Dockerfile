# localdistill in a container. See docs/docker.md.
#
#     docker build -t localdistill .
#     docker run --rm -v "$PWD/ld:/data" localdistill run

FROM python:3.11-slim-bookworm AS base
ENV PIP_NO_CACHE_DIR=1


# Packages that candidate programs may import beside the standard library, in a folder of their own: nothing else that is
# installed is visible to them. With the pin of the tool itself. See localdistill/sandbox/importable.py.
FROM base AS packages
COPY requirements/base.txt /src/
RUN python -m venv /venv \
    && /venv/bin/pip install --target /opt/localdistill/packages "$(grep '^numpy==' /src/base.txt)" \
    && find /opt/localdistill/packages -type d -name tests -prune -exec rm -rf {} + \
    && rm -rf /opt/localdistill/packages/bin


# The parts that are written in C.
FROM base AS compiled
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY localdistill/sandbox/spawner.c localdistill/backends/draw.c scripts/compile_c.py /src/
RUN python /src/compile_c.py /src/spawner.c /src/draw.c


# Where candidate programs and test code run, each in containers of their own: a Python, and the sandbox's files, which
# need the standard library only. `docker build --target pit -t localdistill-pit .` See docs/sandbox.md. It stands before
# the tool, because an engine without BuildKit builds all that stands before a target.
FROM base AS pit
COPY --from=packages /opt/localdistill/packages /opt/localdistill/packages
COPY localdistill/sandbox /opt/localdistill/sandbox
COPY --from=compiled /src/_spawner.so /opt/localdistill/sandbox/
# For containers that stand beside the tool's (compose.yaml): in other ones the command line names the way to a slot.
ENTRYPOINT ["python3", "-I", "-S", "-B", "/opt/localdistill/sandbox/boot.py"]
CMD ["--listen", "/run/localdistill"]


# Compiles llama.cpp and installs all third-party packages: minutes of work that depend on the pins only, so that an edit
# of the source does not repeat them.
FROM base AS dependencies-cpu
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ ninja-build \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/base.txt requirements/train.txt requirements/unsloth.txt requirements/cpu.lock /src/requirements/
COPY scripts/install.py scripts/compile_c.py /src/scripts/
RUN python /src/scripts/install.py --venv /opt/localdistill --set cpu --portable --dependencies-only
# A quarter of it is of no use in a CPU image without a compiler: the packages' own tests, C headers, libraries for GPUs,
# and the copy of llama.cpp's libraries that its build leaves beside the one that is loaded.
RUN cd /opt/localdistill/lib/python3*/site-packages \
    && rm -rf include lib pandas/tests pyarrow/include pyarrow/tests torch/include torch/test \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find bitsandbytes -name 'libbitsandbytes_*.so' ! -name 'libbitsandbytes_cpu.so' -delete


# What is shipped: no compiler. The tool runs as root, because the sandbox gives each candidate program a user id of its
# own; it needs no more than Docker's default capabilities.
FROM base AS cpu
# The OpenMP runtime that llama.cpp is linked with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=dependencies-cpu /opt/localdistill /opt/localdistill

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY scripts/install.py scripts/compile_c.py scripts/
# With the seed model, which the package holds: `run` takes it when no other is named.
COPY models models
COPY localdistill localdistill
COPY --from=compiled /src/_spawner.so localdistill/sandbox/
COPY --from=compiled /src/_draw.so localdistill/backends/
RUN python scripts/install.py --venv /opt/localdistill --project-only && rm -rf /src/*

ENV PATH=/opt/localdistill/bin:$PATH \
    LOCALDISTILL_HOME=/data
WORKDIR /data
ENTRYPOINT ["localdistill"]
