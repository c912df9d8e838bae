# SPDX-License-Identifier: Apache-2.0
# Somebody else's process under a tracer: from its start, and attached to.
set -eu
strace -f -o /tmp/trace -e trace=execve,openat busybox sh -c 'cat /proc/version >/dev/null; true'
grep -c execve /tmp/trace
sleep 30 &
target=$!
strace -o /tmp/trace -p $target 2>/tmp/strace-says &
tracer=$!
while kill -0 $tracer && ! grep -qs 'TracerPid:.[1-9]' /proc/$target/status; do sleep 0.1; done
kill $target
wait $tracer || :
grep -c 'killed by SIGTERM' /tmp/trace
