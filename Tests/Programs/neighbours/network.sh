# SPDX-License-Identifier: Apache-2.0
# A container network: a pair of links, a classifier, a program at the driver, one at connect(2);
# loaded, attached, and seen to run. The kernel loads the modules for it by itself.
set -eu
object=/neighbours/neighbour.bpf.o
folder=/sys/fs/bpf/neighbour
cleanup() {
    bpftool cgroup detach /sys/fs/cgroup connect4 pinned $folder/connect_by_name 2>/dev/null || :
    rm -rf $folder
    ip link del left 2>/dev/null || :
    for module in cls_bpf sch_ingress veth; do modprobe -r $module 2>/dev/null || :; done
}
trap cleanup EXIT
ip link add left type veth peer name right
ip link set left up
ip link set right up
ip addr add 192.0.2.1/24 dev left
tc qdisc add dev left clsact
tc filter add dev left egress bpf da obj $object sec tc
tc filter show dev left egress | grep -c 'direct-action'
ip link set dev right xdpgeneric obj $object sec xdp
ip -o link show right | grep -c xdpgeneric
mkdir -p $folder
bpftool prog loadall $object $folder pinmaps $folder
bpftool cgroup attach /sys/fs/cgroup connect4 pinned $folder/connect_by_name
# Nobody listens there: that the program ran is what is wanted.
nc -w 1 127.0.0.1 9 </dev/null || echo refused
bpftool map dump pinned $folder/seen | grep '"value"'
ip link set dev right xdpgeneric off
tc qdisc del dev left clsact
cut -d' ' -f1 /proc/modules | sort
