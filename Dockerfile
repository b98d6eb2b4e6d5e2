# syntax=docker/dockerfile:1
# One image for every command of cloudflux. Both bases are arguments: pin them by digest in
# production, or name your own with Python 3.11 or newer. Nothing of the builder remains but
# /opt/cloudflux; its Python must be the one of the base.
ARG BASE=docker.io/library/python:3.13-slim-bookworm
# the full image has `strip`, which takes 30 MB of symbols out of libraries
ARG BUILDER=docker.io/library/python:3.13-bookworm

FROM ${BUILDER} AS build
COPY requirements-runtime.lock /build/
# the lock holds a hash of every file: what is not that file is not installed
RUN python3 -m venv /opt/cloudflux \
 && /opt/cloudflux/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check --no-deps \
      --only-binary :all: --require-hashes -r /build/requirements-runtime.lock \
 && /opt/cloudflux/bin/pip uninstall --yes --quiet pip setuptools
COPY operator/cloudflux /opt/cloudflux/source/cloudflux
COPY tools/image /build/image
# used once, trimmed by what that used, and used again: a build that cut too much fails here
RUN printf '#!/bin/sh\nexec /opt/cloudflux/bin/python -m cloudflux "$@"\n' > /opt/cloudflux/bin/cloudflux \
 && chmod 755 /opt/cloudflux/bin/cloudflux \
 && SITE="$(/opt/cloudflux/bin/python -c 'import site; print(site.getsitepackages()[0])')" \
 && echo /opt/cloudflux/source > "$SITE/cloudflux.pth" \
 && find /opt/cloudflux/source -name __pycache__ -prune -exec rm -rf {} + \
 && /opt/cloudflux/bin/python -B /build/image/smoke.py --loaded /build/loaded \
 && python3 -B /build/image/trim.py "$SITE" /build/loaded \
 && /opt/cloudflux/bin/python -B /build/image/smoke.py \
 && python3 -B /build/image/sbom.py "$SITE" > /opt/cloudflux/sbom.cdx.json

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="CloudFlux Operator" \
      org.opencontainers.image.description="Decides where data should live, moves it there and proves it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# a user without an entry in passwd breaks getpwuid, which the operator's framework asks
RUN echo 'cloudflux:x:65532:65532:cloudflux:/var/lib/cloudflux:/usr/sbin/nologin' >> /etc/passwd \
 && echo 'cloudflux:x:65532:' >> /etc/group \
 && mkdir -p /var/lib/cloudflux && chown 65532:65532 /var/lib/cloudflux
COPY --from=build /opt/cloudflux /opt/cloudflux
ENV PATH=/opt/cloudflux/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/cloudflux
USER 65532:65532
WORKDIR /var/lib/cloudflux
# the operator ends on SIGTERM itself and its children die with it: no init is needed
ENTRYPOINT ["/opt/cloudflux/bin/python", "-m", "cloudflux"]
CMD ["operator"]
