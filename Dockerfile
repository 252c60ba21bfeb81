# The server alone: it needs a PostgreSQL beside it (see docker-compose.yml).
FROM rust:1-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock build.rs sqlx.toml ./
COPY .sqlx .sqlx
COPY migrations migrations
COPY examples examples
COPY tests tests
COPY src src
RUN cargo build --locked --release --bin muster

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin muster
COPY --from=build /src/target/release/muster /usr/local/bin/muster
USER muster
ENV MUSTER_LISTEN=0.0.0.0:8080 \
    MUSTER_OPS_LISTEN=0.0.0.0:8081
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD curl --fail --silent http://127.0.0.1:8081/healthz
ENTRYPOINT ["muster"]
CMD ["serve"]
