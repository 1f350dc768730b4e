# One image for bot and tools. Models live in a volume: `fieldmark models pull` fills it.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 fieldmark \
    && mkdir -p /data \
    && chown fieldmark /data
WORKDIR /app

COPY requirements-bot.lock pyproject.toml README.md ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-bot.lock
COPY bot bot
COPY engine engine
COPY tools tools
RUN pip install --no-cache-dir --no-deps --no-build-isolation .

USER fieldmark
ENV FIELDMARK_ENGINE__HOME=/data \
    FIELDMARK_STORE__PATH=/data/bot.sqlite \
    PYTHONUNBUFFERED=1
VOLUME /data
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["python", "-m", "bot.health"]
CMD ["python", "-m", "bot"]
