# API, webhooks and console as one server, on any host of containers (docs/containers.md): `docker build -t agents .`
FROM python:3.11-slim
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH UV_PYTHON_DOWNLOADS=never UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1
ENV PORT=8090 BATON_APP=baton.sdk.agents:registry UVICORN_HOST=0.0.0.0 UVICORN_LIFESPAN=on UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=150
RUN ["pip", "install", "--no-cache-dir", "uv"]
COPY . .
RUN ["uv", "sync", "--no-dev", "--extra", "server", "--extra", "models"]
USER nobody
HEALTHCHECK CMD ["python", "-c", "import os, urllib.request as url; url.build_opener(url.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=5)"]
CMD ["sh", "-c", "exec python -m baton.server --port $PORT"]
