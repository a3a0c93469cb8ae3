# The sandbox's tests in a container: a Python with what they import, and not the source, which is mounted. It stands in
# for the tool's own image, which takes ten minutes to build, and has its entry point. See .ci/sandbox-tiers.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}
COPY requirements/base.txt requirements/dev.txt /requirements/
# hadolint ignore=SC2046
RUN python -m venv /opt/tests \
    && /opt/tests/bin/pip install --no-cache-dir $(grep -hE '^(numpy|psutil|pydantic|pytest)==' /requirements/*.txt) \
    && mkdir -p /opt/localdistill \
    && ln -s /opt/tests/lib/python3.*/site-packages /opt/localdistill/packages \
    && test -e /opt/localdistill/packages/numpy
ENV PYTHONPATH=/src PYTHONDONTWRITEBYTECODE=1 LOCALDISTILL_HOME=/data
WORKDIR /src
ENTRYPOINT ["python3", "-I", "-S", "-B", "/src/localdistill/sandbox/boot.py", "--first", \
    "/opt/tests/bin/python", "-m", "pytest", "-p", "no:cacheprovider"]
