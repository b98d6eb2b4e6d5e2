# syntax=docker/dockerfile:1
# One image for every command of cloudflux. The base is an argument: pin it by digest in
# production, or name one of your own that has Python 3.11 or newer.
ARG BASE=docker.io/library/python:3.13-slim-bookworm

FROM ${BASE} AS build
COPY requirements-runtime.lock requirements-bootstrap.lock /build/
# -E keeps what the base says of Python's own paths; --copies makes the venv movable
RUN python3 -m venv /opt/cloudflux \
 && /opt/cloudflux/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: \
      --require-hashes -r /build/requirements-runtime.lock \
 && /opt/cloudflux/bin/pip uninstall --yes --quiet pip setuptools \
 && find /opt/cloudflux -depth -type d \( -name tests -o -name test \) \
      \( -path '*/pyarrow/*' -o -path '*/sklearn/*' -o -path '*/scipy/*' -o -path '*/numpy/*' \
         -o -path '*/matplotlib/*' \) -exec rm -rf {} + \
 && rm -rf /opt/cloudflux/lib/python*/site-packages/pyarrow/include \
           /opt/cloudflux/lib/python*/site-packages/numpy/_core/include
COPY operator/cloudflux /opt/cloudflux/source/cloudflux
RUN printf '#!/bin/sh\nexec /opt/cloudflux/bin/python -m cloudflux "$@"\n' > /opt/cloudflux/bin/cloudflux \
 && chmod 755 /opt/cloudflux/bin/cloudflux \
 && /opt/cloudflux/bin/python -c "import site, pathlib; pathlib.Path(site.getsitepackages()[0], 'cloudflux.pth').write_text('/opt/cloudflux/source\n')" \
 && { /opt/cloudflux/bin/python -m compileall -q -j 0 /opt/cloudflux || true; }  # templates of old syntax may not compile

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
