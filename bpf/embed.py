#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a file's bytes as a C array: embed.py OBJECT NAME > header.

bpftool's skeleton headers differ between bpftool versions; this output depends on the object only.
"""
import sys


def main():
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    name = sys.argv[2]
    print("// SPDX-License-Identifier: Apache-2.0")
    print(f"// Generated from bpf/{name}.bpf.c by `make -C bpf`. Do not edit.")
    print("#pragma once")
    print(f"static const unsigned char {name}_object[{len(data)}]")
    print("    __attribute__((aligned(8))) = {")
    for start in range(0, len(data), 16):
        row = ",".join(f"0x{byte:02x}" for byte in data[start:start + 16])
        print(f"    {row},")
    print("};")


if __name__ == "__main__":
    main()
