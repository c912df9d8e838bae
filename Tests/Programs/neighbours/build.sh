# SPDX-License-Identifier: Apache-2.0
# A project is built by make and a compiler, and run.
set -eu
rm -rf /tmp/project && cp -r /neighbours/project /tmp/project
cd /tmp/project
make
./greet "$(head -c 11 /neighbours/project/main.c)"
make
