# SPDX-License-Identifier: Apache-2.0
# A million ordinary writes.
set -eu
dd if=/dev/zero of=/tmp/million bs=1 count=1000000 2>/dev/null
wc -c </tmp/million
rm /tmp/million
