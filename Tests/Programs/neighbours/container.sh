# SPDX-License-Identifier: Apache-2.0
# A container from beginning to end by a container run-time: namespaces, a cgroup with its BPF
# program for devices, pivot_root, exec into it; then by files, as others do. $1 is the protected
# process, which tools enter as well.
set -eu
bundle=/tmp/bundle
crun --root /tmp/crun delete --force neighbour 2>/dev/null || :
rm -rf $bundle
for folder in bin proc dev sys; do mkdir -p $bundle/rootfs/$folder; done
cp /bin/busybox $bundle/rootfs/bin/busybox
cd $bundle
crun spec
sed -i -e 's|"terminal": true|"terminal": false|' -e 's|"sh"|"/bin/busybox", "sleep", "60"|' config.json
crun --root /tmp/crun --cgroup-manager=cgroupfs run --detach --pid-file /tmp/pid neighbour
crun --root /tmp/crun exec neighbour /bin/busybox sh -c 'echo $$ in a container; ls /; hostname'
nsenter --target "$(cat /tmp/pid)" --uts --net --ipc --mount --pid /bin/busybox hostname
crun --root /tmp/crun delete --force neighbour
unshare --mount --uts --net --pid --fork --mount-proc sh -c 'hostname neighbour; hostname; ps -o comm= -p 1; ip -o link | wc -l'
nsenter --target "$1" --uts --net --ipc --mount /tools/usr/bin/busybox echo entered
