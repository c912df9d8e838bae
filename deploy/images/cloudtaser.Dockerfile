# SPDX-License-Identifier: Apache-2.0
# cloudtaser, the command: by a clock in a cluster, or in a pipeline. Build from the repository's root, after
# `make build/cloudtaser` on Debian 12.
FROM debian:bookworm-slim
# As the operator's, and three things that Debian's smallest image has not: OpenSSL and curl's library, by which it
# talks to vaults and clusters, and the authorities that anybody knows.
RUN apt-get update && apt-get install --yes --no-install-recommends libssl3 libcurl4 ca-certificates && \
    rm -rf /var/lib/apt/lists/*
COPY --chmod=0755 build/cloudtaser /usr/local/bin/cloudtaser
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/cloudtaser"]
