# localdistill in a container. See docs/docker.md.
#
#     docker build -t localdistill .                             for CPUs
#     docker build --target cuda -t localdistill:cuda .          for NVIDIA GPUs
#     docker build --target pit -t localdistill-pit .            the sandbox alone
#
#     docker run --rm -it -v "$PWD/ld:/data" localdistill run
#
# BuildKit (standard since Docker 23, with Podman likewise) makes only the stages that a target needs. An engine without it
# makes all that stand before the target, so they stand in the order of who needs least: pit, cpu, cuda.

# By its tag, so that a build gets Python's and Debian's fixes. To pin it to the byte:
# --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BASE=python:3.11-slim-bookworm
ARG CUDA=nvidia/cuda:13.0.0-devel-ubuntu22.04

FROM ${BASE} AS base
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1


# Packages that candidate programs may import beside the standard library, in a folder of their own: nothing else that is
# installed is visible to them. With the pin of the tool itself. See localdistill/sandbox/importable.py.
FROM base AS packages
COPY requirements/cpu.lock /src/
# The lock's entry: the pin and, on the lines that follow, its hashes.
RUN sed -n '/^numpy==/,/[^\\]$/p' /src/cpu.lock >/src/numpy.txt \
    && python -m venv /venv \
    && /venv/bin/pip install --require-hashes --no-deps --target /opt/localdistill/packages -r /src/numpy.txt \
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
# need the standard library only. See docs/sandbox.md.
FROM base AS pit
COPY --from=packages /opt/localdistill/packages /opt/localdistill/packages
COPY localdistill/sandbox /opt/localdistill/sandbox
COPY --from=compiled /src/_spawner.so /opt/localdistill/sandbox/
# For containers that stand beside the tool's (compose.yaml): in other ones the command line names the way to a slot.
ENTRYPOINT ["python3", "-I", "-S", "-B", "/opt/localdistill/sandbox/boot.py"]
CMD ["--listen", "/run/localdistill"]


# The project itself with the seed model, as it is laid over the packages of either set.
FROM base AS project
COPY requirements/cpu.lock /
# With what builds it from the lock: an edit of the source downloads nothing.
RUN sed -n '/^setuptools==/,/[^\\]$/p' /cpu.lock >/setuptools.txt \
    && python -m venv /opt/localdistill \
    && /opt/localdistill/bin/pip install --require-hashes --no-deps -r /setuptools.txt
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY models models
COPY localdistill localdistill
COPY --from=compiled /src/_spawner.so localdistill/sandbox/
COPY --from=compiled /src/_draw.so localdistill/backends/
# `tool` is where the entry point finds it, whatever the version of Python.
RUN /opt/localdistill/bin/pip install --no-build-isolation --no-deps --root /out --prefix /opt/localdistill . \
    && cd /out/opt/localdistill \
    && ln -s lib/python3.*/site-packages/localdistill tool \
    && test -e tool/sandbox/boot.py


# What the images for CPUs and GPUs have in common. No compiler.
FROM base AS common
# The OpenMP runtime that llama.cpp is linked with.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/localdistill/bin:$PATH \
    LOCALDISTILL_HOME=/data
ARG SOURCE=""
ARG REVISION=""
LABEL org.opencontainers.image.title="localdistill" \
      org.opencontainers.image.description="Makes the code model on your own machine better by self-distillation, with an honest verdict" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.documentation="docs/docker.md" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}"
# Whether a run whose directory is below /data still gets on: 20 ms of a processor a minute.
HEALTHCHECK --interval=60s --timeout=20s --retries=2 \
    CMD ["python3", "-I", "-S", "-B", "/opt/localdistill/tool/health.py"]
WORKDIR /data
# Root at first, for the sandbox; then the tool becomes the owner of /data. See docs/decisions/0010-in-one-container.md.
ENTRYPOINT ["python3", "-I", "-S", "-B", "/opt/localdistill/tool/sandbox/boot.py", "--first", "localdistill"]
CMD ["--help"]


# Compiles llama.cpp: minutes of work that depend on the pins only, so that an edit of the source does not repeat them.
FROM base AS llama-cpp-tools
RUN apt-get update \
    && apt-get install -y --no-install-recommends cmake g++ ninja-build \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/base.txt requirements/train.txt requirements/unsloth.txt requirements/cpu.lock /src/requirements/
COPY scripts/install.py scripts/compile_c.py scripts/llama_cpp.cmake scripts/without_amx.cmake /src/scripts/

FROM llama-cpp-tools AS llama-cpp
RUN python /src/scripts/install.py --venv /venv --set cpu --portable --only-llama-cpp /llama-cpp


# All third-party packages.
FROM base AS dependencies-cpu
COPY requirements/base.txt requirements/train.txt requirements/unsloth.txt requirements/cpu.lock /src/requirements/
COPY scripts/install.py scripts/compile_c.py scripts/llama_cpp.cmake scripts/without_amx.cmake /src/scripts/
COPY --from=llama-cpp /llama-cpp /llama-cpp
RUN python /src/scripts/install.py --venv /opt/localdistill --set cpu --llama-cpp /llama-cpp --dependencies-only
# A quarter of it is of no use in a CPU image without a compiler: the packages' own tests, C headers, libraries for GPUs,
# and the copy of llama.cpp's libraries that its build leaves beside the one that is loaded.
RUN cd /opt/localdistill/lib/python3*/site-packages \
    && rm -rf include lib pandas/tests pyarrow/include pyarrow/tests torch/include torch/test \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find bitsandbytes -name 'libbitsandbytes_*.so' ! -name 'libbitsandbytes_cpu.so' -delete


# What is in it, as a bill of materials (CycloneDX).
FROM dependencies-cpu AS sbom
COPY requirements/audit.lock /src/requirements/
COPY scripts/audit.py scripts/sbom.py /src/scripts/
RUN python /src/scripts/sbom.py --python /opt/localdistill/bin/python --out /sbom.cdx.json


FROM common AS cpu
COPY --from=dependencies-cpu /opt/localdistill /opt/localdistill
COPY --from=sbom /sbom.cdx.json /opt/localdistill/share/localdistill/sbom.cdx.json
COPY --from=project /out/ /


# For NVIDIA GPUs: llama.cpp with CUDA, and all of Unsloth from the lock. Nobody has run it yet: there was no GPU.
FROM ${CUDA} AS cuda-toolkit

# NVIDIA's toolkit with Debian's C++ compiler, so that what is made runs on the base image's C library.
FROM llama-cpp-tools AS llama-cpp-cuda
COPY --from=cuda-toolkit /usr/local/cuda-13.0 /usr/local/cuda
ENV PATH=/usr/local/cuda/bin:$PATH \
    CUDA_HOME=/usr/local/cuda
COPY requirements/cuda.lock /src/requirements/
RUN python /src/scripts/install.py --venv /venv --set cuda --portable --only-llama-cpp /llama-cpp

FROM base AS dependencies-cuda
COPY requirements/base.txt requirements/train.txt requirements/unsloth.txt requirements/cuda.lock /src/requirements/
COPY scripts/install.py scripts/compile_c.py scripts/llama_cpp.cmake scripts/without_amx.cmake /src/scripts/
COPY --from=llama-cpp-cuda /llama-cpp /llama-cpp
RUN python /src/scripts/install.py --venv /opt/localdistill --set cuda --llama-cpp /llama-cpp --dependencies-only
RUN cd /opt/localdistill/lib/python3*/site-packages \
    && rm -rf include lib pandas/tests pyarrow/include pyarrow/tests torch/include torch/test

FROM dependencies-cuda AS sbom-cuda
COPY requirements/audit.lock /src/requirements/
COPY scripts/audit.py scripts/sbom.py /src/scripts/
RUN python /src/scripts/sbom.py --python /opt/localdistill/bin/python --out /sbom.cdx.json

FROM common AS cuda
# Triton, with which Unsloth makes its kernels, compiles a few lines of C for each at run time.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY --from=dependencies-cuda /opt/localdistill /opt/localdistill
COPY --from=sbom-cuda /sbom.cdx.json /opt/localdistill/share/localdistill/sbom.cdx.json
COPY --from=project /out/ /
# llama.cpp finds the CUDA libraries that PyTorch has brought; the driver's own comes from the machine.
RUN ls -d /opt/localdistill/lib/python3*/site-packages/nvidia/*/lib >/etc/ld.so.conf.d/localdistill.conf && ldconfig
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility


# What `docker build .` makes.
FROM cpu
