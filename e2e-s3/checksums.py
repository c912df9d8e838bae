# SPDX-License-Identifier: Apache-2.0
"""Checksums that Python has not, by their definitions."""
import base64
import functools
import hashlib
import zlib


@functools.cache
def _table(polynomial):
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


def _crc(data, polynomial, bits):
    table, value = _table(polynomial), (1 << bits) - 1
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return (value ^ (1 << bits) - 1).to_bytes(bits // 8, "big")


NAMES = ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")


def checksum(name, data):
    """As S3 has it in headers and trailers."""
    if name == "crc32":
        value = zlib.crc32(data).to_bytes(4, "big")
    elif name == "crc32c":
        value = _crc(data, 0x82F63B78, 32)
    elif name == "crc64nvme":
        value = _crc(data, 0x9A6C9329AC4BC9B5, 64)
    else:
        value = hashlib.new(name, data).digest()
    return base64.b64encode(value).decode()
