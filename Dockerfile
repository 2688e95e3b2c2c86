# Two stages: the locked dependencies are installed into an environment, and only that environment is kept.
FROM python:3.11-slim AS build
ENV UV_PROJECT_ENVIRONMENT=/opt/contentwire UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
RUN pip install --no-cache-dir 'uv==0.9.*' \
    && apt-get update && apt-get install --yes --no-install-recommends cargo && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml uv.lock ./
RUN uv sync --frozen --no-dev --no-install-project
COPY README.md LICENSE hatch_build.py ./
COPY core core
COPY schemas schemas
COPY connector connector
RUN CONTENTWIRE_CORE=required uv sync --frozen --no-dev --no-editable

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin contentwire
COPY --from=build /opt/contentwire /opt/contentwire
ENV PATH=/opt/contentwire/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /etc/contentwire
USER 10001
EXPOSE 9464
# Needs `[server] listen = "0.0.0.0:9464"`: healthy means that the main loop runs.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["contentwire"]
CMD ["run"]
