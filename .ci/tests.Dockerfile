# The sandbox's tests in a container: a Python with what they import, and not the source, which is mounted. It stands in
# for the tool's own image, which takes ten minutes to build. See .ci/sandbox-tiers.
FROM python:3.11-slim-bookworm
COPY requirements/base.txt requirements/dev.txt /requirements/
RUN python -m venv /opt/tests \
    && /opt/tests/bin/pip install --no-cache-dir $(grep -hE '^(numpy|psutil|pydantic|pytest)==' /requirements/*.txt)
ENV PYTHONPATH=/src PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
ENTRYPOINT ["/opt/tests/bin/python", "-m", "pytest", "-p", "no:cacheprovider"]
