# SPDX-License-Identifier: Apache-2.0
"""The vectors that the Swift tests open. Salts and keys are hashes of their names."""
import hashlib
import json

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ct1 import (
    context_of, envelope_head, metadata_key, nonce_of, prefix_of, seal_parts, seal_segment,
    seal_user, segment_keys, wrap,
)
from vectors import (
    based, plaintext,
)


def salt_of(name):
    return hashlib.sha256(b"salt " + name.encode()).digest()


PEER_KEY = hashlib.sha256(b"the data key of the peer's vectors").digest()


def peer_segment(kind, number, size):
    name = f"peer-{kind}-{number}-{size}"
    salt, body = salt_of(name), plaintext(0, size)
    key, commitment = segment_keys(PEER_KEY, prefix_of(kind, number), salt)
    return {
        "name": name, "form": "segment", "dataKey": PEER_KEY.hex(), "kind": kind,
        "partNumber": number, "plainBytes": size, "salt": salt.hex(), "chunkKey": key.hex(),
        "commitment": commitment.hex(),
        "sealed": based(seal_segment(PEER_KEY, kind, number, salt, body)),
    }


def peer_parts(name, layout, sizes):
    parts, offset = [], 0
    for index, size in enumerate(sizes):
        parts.append((2 * index + 1, salt_of(f"{name} {index}"), plaintext(offset, size)))
        offset += size
    digests = [(2, hashlib.sha256(plaintext(0, offset)).digest())]
    sealed = seal_parts(PEER_KEY, layout, parts, digests, salt_of(name))
    return {
        "name": name, "form": "parts", "dataKey": PEER_KEY.hex(), "layout": layout,
        "upstreamParts": len(sizes) + (layout == 0),
        "parts": [
            {"number": n, "plainBytes": len(body), "salt": salt.hex()} for n, salt, body in parts],
        "digests": [{"kind": kind, "digest": digest.hex()} for kind, digest in digests],
        "footerSalt": salt_of(name).hex(), "metadataKey": metadata_key(PEER_KEY).hex(),
        "sealed": based(sealed),
    }


def peer_envelope():
    names = {"tenant": "t", "bucket": "bücket", "key": "a/ключ"}
    context, epoch_key = context_of(**names), salt_of("epoch key")
    salt, commitment = salt_of("segment"), salt_of("commitment")
    head = envelope_head(0, "bucket/2026-11-27T04/7", salt, commitment)
    text = wrap(PEER_KEY, head, context, epoch_key, salt_of("wrap"))
    return {
        "name": "peer-envelope", "form": "envelope", **names, "context": context.hex(), "kind": 0,
        "keyReference": "bucket/2026-11-27T04/7", "salt": salt.hex(),
        "commitment": commitment.hex(), "epochKey": epoch_key.hex(),
        "wrapSalt": salt_of("wrap").hex(), "dataKey": PEER_KEY.hex(), "text": text,
    }


def peer_user():
    pairs = [["content-type", "text/plain; charset=utf-8"], ["x-amz-meta-é", "ü\n"]]
    context = context_of("t", "b", "k")
    return {
        "name": "peer-user", "form": "userMetadata", "dataKey": PEER_KEY.hex(),
        "salt": salt_of("user").hex(), "context": context.hex(), "pairs": pairs,
        "text": seal_user(PEER_KEY, salt_of("user"), context, pairs),
    }


# A chunk that opens with two keys (eprint.iacr.org/2019/016): GCM's tag is linear in each block of
# ciphertext, so one block can be chosen that gives both keys the same tag.


def multiply(x, y):
    """In GF(2^128), with the order of bits of SP 800-38D."""
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


def power(x, exponent):
    result = 1 << 127
    while exponent:
        if exponent & 1:
            result = multiply(result, x)
        x, exponent = multiply(x, x), exponent >> 1
    return result


def encrypt_block(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(block) + encryptor.finalize(), "big")


def two_key_chunk(one, other, nonce):
    blocks = [int.from_bytes(salt_of(f"block {i}")[:16], "big") for i in range(4)]
    free, count = 2, len(blocks)
    powers = [[power(encrypt_block(k, bytes(16)), e) for e in range(count + 2)]
              for k in (one, other)]
    difference = [a ^ b for a, b in zip(*powers)]
    lengths = count * 128
    wanted = encrypt_block(one, nonce + b"\0\0\0\1") ^ encrypt_block(other, nonce + b"\0\0\0\1")
    wanted ^= multiply(lengths, difference[1])
    for i, block in enumerate(blocks):
        if i != free:
            wanted ^= multiply(block, difference[count + 1 - i])
    inverse = power(difference[count + 1 - free], 2**128 - 2)
    blocks[free] = multiply(wanted, inverse)
    tag = encrypt_block(one, nonce + b"\0\0\0\1") ^ multiply(lengths, powers[0][1])
    for i, block in enumerate(blocks):
        tag ^= multiply(block, powers[0][count + 1 - i])
    return b"".join(block.to_bytes(16, "big") for block in blocks + [tag])


def peer_salamander():
    other = hashlib.sha256(b"another data key").digest()
    prefix, salt = prefix_of(0, 0), salt_of("salamander")
    keys = [segment_keys(key, prefix, salt) for key in (PEER_KEY, other)]
    chunk = two_key_chunk(keys[0][0], keys[1][0], nonce_of(0, True))
    return {
        "name": "peer-salamander", "form": "salamander", "dataKey": PEER_KEY.hex(),
        "otherKey": other.hex(), "salt": salt.hex(), "chunkKey": keys[0][0].hex(),
        "otherChunkKey": keys[1][0].hex(), "sealed": based(prefix + salt + keys[0][1] + chunk),
    }


def text():
    vectors = [peer_segment(0, 0, size) for size in (0, 5, 65_536, 65_545)]
    vectors += [peer_segment(1, 9_999, 33)]
    vectors += [peer_parts("peer-extra", 0, [7, 0, 70]), peer_parts("peer-merged", 1, [40])]
    vectors += [peer_envelope(), peer_user(), peer_salamander()]
    return json.dumps({"vectors": vectors}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
