# An image with the program and the four libraries that it is linked to, and nothing else: no shell, no
# package manager, no user but one without rights.
#
#   docker build -t dream-bff .
#   docker run -d --name dream-bff -p 127.0.0.1:3000:3000 -v dream-bff:/data --env-file .env dream-bff
#
# A platform that sets PORT is obeyed. Data live in /data: one container at a time may have them.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin dream-bff
# What the loader would load, at the places where it looks for it; and the server's own folder, which is not
# below /image: an owner is set only for what a COPY makes.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=SC2046
RUN mkdir -p /data /image/tmp /image/etc \
    && cp --parents -L $(ldd target/release/dream-bff | grep -o '/[^ ]*' | sort -u) /image/ \
    && install -m 755 target/release/dream-bff /image/dream-bff \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && chmod 1777 /image/tmp \
    && chmod 700 /data

FROM scratch
COPY --from=build /image /
COPY --from=build --chown=65532:65532 --chmod=700 /data /data
USER 65532:65532
ENV DATA_DIR=/data
WORKDIR /data
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["/dream-bff", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/dream-bff"]
CMD ["serve"]
