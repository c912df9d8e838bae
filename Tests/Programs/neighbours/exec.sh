# SPDX-License-Identifier: Apache-2.0
# A container whose process registers with the agent, as a wrapper does, and somebody who executes a
# program in it (kubectl exec, podman exec).
set -eu
crun --root /tmp/crun delete --force protected 2>/dev/null || :
bundle=/tmp/protected
rm -rf $bundle
for folder in bin proc dev sys guest; do mkdir -p $bundle/rootfs/$folder; done
cp /bin/busybox $bundle/rootfs/bin/busybox
cd $bundle
crun spec
sed -i -e 's|"terminal": true|"terminal": false|' \
    -e 's|"sh"|"/guest/init", "registrant", "/guest/tmp/agent.sock"|' \
    -e 's|"mounts": \[|"mounts": [{"destination": "/guest", "type": "none", "source": "/guest", "options": ["rbind"]},|' \
    config.json
mkfifo words
exec 3<>words
crun --root /tmp/crun --cgroup-manager=cgroupfs run --detach protected <words >says
echo register >&3
tries=0
while [ "$(wc -l <says)" -lt 2 ] && [ $tries -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
head -1 says
crun --root /tmp/crun exec protected /bin/busybox sh -c 'hostname; ls /; cat /proc/1/comm'
crun --root /tmp/crun delete --force protected
