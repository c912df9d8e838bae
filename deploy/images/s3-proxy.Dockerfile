# SPDX-License-Identifier: Apache-2.0
# cloudtaser-s3-proxy: replicas in a cluster, or beside one program. Build from the repository's root, after
# `make build/cloudtaser-s3-proxy` on Debian 12.
FROM debian:bookworm-slim
# As the operator's, and two things that Debian's smallest image has not: OpenSSL, by which it talks to the vault, and
# the authorities of stores that anybody knows.
RUN apt-get update && apt-get install --yes --no-install-recommends libssl3 ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 build/cloudtaser-s3-proxy /usr/local/bin/cloudtaser-s3-proxy
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/cloudtaser-s3-proxy"]
