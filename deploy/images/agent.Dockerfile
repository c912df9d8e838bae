# SPDX-License-Identifier: Apache-2.0
# cloudtaser-agent: once on each node, as root (docs/reference/agent.md, Privileges). Build from the
# repository's root, after `make build/cloudtaser-agent`.
FROM scratch
COPY --chmod=0755 build/cloudtaser-agent /usr/local/bin/cloudtaser-agent
ENTRYPOINT ["/usr/local/bin/cloudtaser-agent"]
