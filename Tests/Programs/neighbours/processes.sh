# SPDX-License-Identifier: Apache-2.0
# Who is there: $1 is the protected process.
set -eu
ps -o comm=,stat= -p "$1"
ps -eo pid= | grep -cx " *$1"
ps aux | grep -c '\[kthreadd\]'
TERM=linux top -b -n1 -w 200 | grep -c "^ *$1 "
TERM=linux top -b -n1 -p "$1" | tail -1 | awk '{ print $NF }'
for file in stat status statm comm cmdline cgroup limits; do
    cat "/proc/$1/$file" >/dev/null && echo "$file"
done
