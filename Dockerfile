# The service alone, without PyTorch: docker build --tag emotone . (see docs/how-to/container.md)
# Linted, not built in this project's CI, which has no container engine.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/emotone
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN /opt/emotone/bin/pip install --no-cache-dir --disable-pip-version-check \
    --constraint constraints.txt ".[serve]"

FROM python:3.11.13-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin emotone
COPY --from=build /opt/emotone /opt/emotone
# nothing is written but uploads, into TMPDIR, so that the file system can be read-only
ENV PATH=/opt/emotone/bin:$PATH \
    HOME=/tmp \
    TMPDIR=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
# /ready is open without token and under any name
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
ENTRYPOINT ["emotone", "serve", "--host", "0.0.0.0", "--port", "8000"]
