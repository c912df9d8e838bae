# SPDX-License-Identifier: Apache-2.0
# cloudtaser-wrapper: copied into pods by an init container. Build from the repository's root, after
# `make build/cloudtaser-wrapper`.
FROM scratch
COPY --chmod=0755 build/cloudtaser-wrapper /cloudtaser-wrapper
# Of pods that name no user of their own.
USER 65532:65532
ENTRYPOINT ["/cloudtaser-wrapper"]
