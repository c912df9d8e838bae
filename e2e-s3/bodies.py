# SPDX-License-Identifier: Apache-2.0
"""What is uploaded: nothing that compresses, and all of it can be told from everything else."""
import base64
import functools
import hashlib
import secrets
import zlib

# Stands at the start of each body of this run and in metadata, and nowhere else.
CANARY = "Canary" + secrets.token_hex(12)

KIB, MIB = 1024, 1024 * 1024
CHUNK = 64 * KIB
SIZES = (0, 1, 65_535, 65_536, 65_537, 5 * MIB)


@functools.lru_cache(maxsize=64)
def body(size, name=""):
    """The same bytes for the same name in one run."""
    head = f"{CANARY} {name} ".encode()
    if size <= len(head):
        return head[:size]
    # Fast, and good enough not to repeat itself.
    stream = hashlib.shake_128(head).digest(min(size, 4 * MIB) - len(head))
    text = head + stream
    while len(text) < size:
        text += len(text).to_bytes(8, "big") + stream[: size - len(text) - 8]
    return text[:size]


def forms(text):
    """How the bytes of a secret may stand somewhere: as they are, in hex, in base64."""
    data = text.encode() if isinstance(text, str) else text
    found = {"plain": data, "hex": data.hex().encode(), "HEX": data.hex().upper().encode()}
    for shift in range(3):
        # Only characters that no neighbour has a say in.
        coded = base64.b64encode(bytes(shift) + data)
        first, last = (0, 2, 3)[shift], (len(data) + shift) * 8 // 6
        found[f"base64 at {shift}"] = coded[first:last]
        found[f"base64url at {shift}"] = base64.urlsafe_b64encode(bytes(shift) + data)[first:last]
    return found


def digests(data):
    """Of a plaintext, in the forms that headers and documents have."""
    found = {}
    for name in "md5", "sha1", "sha256", "sha512":
        digest = hashlib.new(name, data).digest()
        found[f"{name} in hex"] = digest.hex().encode()
        found[f"{name} in HEX"] = digest.hex().upper().encode()
        found[f"{name} in base64"] = base64.b64encode(digest)
        found[f"{name} itself"] = digest
    found["crc32 in base64"] = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    return found
