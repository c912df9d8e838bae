# SPDX-License-Identifier: Apache-2.0
# Modules come, with what they need, and go.
set -eu
modprobe nf_tables
cut -d' ' -f1 /proc/modules | sort
modprobe -r nf_tables
modprobe sch_ingress && modprobe cls_bpf && modprobe veth
cut -d' ' -f1 /proc/modules | sort
modprobe -r cls_bpf && modprobe -r sch_ingress && modprobe -r veth
