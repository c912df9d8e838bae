# SPDX-License-Identifier: Apache-2.0
# cloudtaser-operator: two replicas in a cluster. Build from the repository's root, after
# `make build/cloudtaser-operator` on Debian 12.
# Not from scratch: it is linked with the libraries of C, C++ and zlib, which Debian's smallest image has.
FROM debian:bookworm-slim
COPY --chmod=0755 build/cloudtaser-operator /usr/local/bin/cloudtaser-operator
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/cloudtaser-operator"]
