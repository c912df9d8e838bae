#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""CT1 by another hand, written from docs/reference/ct1.md: opens the vectors that the Swift tests
wrote, and makes vectors that the Swift tests open. Needs the package `cryptography`.

Usage: ct1.py check FOLDER   opens every vector, refuses what must fail, compares peer.json
       ct1.py make FOLDER    writes peer.json
"""
import base64
import hashlib
import hmac
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

CHUNK, TAG, HEADER = 65_536, 16, 80
SEALED_CHUNK = CHUNK + TAG
MAGIC = b"CT1\0"
PARTS_MAX = 9_999
DIGESTS = {1: 16, 2: 32, 3: 20, 4: 4, 5: 4, 6: 8}


class Refused(Exception):
    """Not CT1, or changed. `by_key`: found out with a key, so that all such look alike."""

    def __init__(self, reason, by_key=False):
        super().__init__(reason)
        self.by_key = by_key


def not_authentic():
    return Refused("not authentic", by_key=True)


def need(condition, reason):
    if not condition:
        raise Refused(reason)


# Primitives


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha512).digest()


def expand(key, info):
    return HKDFExpand(hashes.SHA512(), 32, info).derive(key)


def seal(key, nonce, data, plaintext):
    return AESGCM(key).encrypt(nonce, plaintext, data)


def unseal(key, nonce, data, sealed):
    try:
        return AESGCM(key).decrypt(nonce, sealed, data)
    except InvalidTag:
        raise not_authentic() from None


def metadata_key(data_key):
    return expand(extract(b"", data_key), b"CT1 meta")


# Segments


def prefix_of(kind, number):
    return MAGIC + bytes([1, 1, 16, kind]) + struct.pack(">II", number, 0)


def segment_keys(data_key, prefix, salt):
    secret = metadata_key(data_key) if prefix[7] == 2 else data_key
    key = extract(salt, secret)
    return expand(key, b"CT1 enc" + prefix), expand(key, b"CT1 commit" + prefix)


def nonce_of(index, is_last):
    return bytes(7) + struct.pack(">IB", index, is_last)


def sealed_size(plain):
    return HEADER + plain + TAG * max(1, -(-plain // CHUNK))


def plain_size(sealed):
    body = sealed - HEADER
    need(body >= TAG, "no segment is so small")
    count = -(-body // SEALED_CHUNK)
    plain = body - TAG * count
    need(sealed_size(plain) == sealed, "no segment has this size")
    return plain


def seal_segment(data_key, kind, number, salt, plaintext):
    prefix = prefix_of(kind, number)
    key, commitment = segment_keys(data_key, prefix, salt)
    count = max(1, -(-len(plaintext) // CHUNK))
    chunks = [
        seal(key, nonce_of(i, i == count - 1), b"", plaintext[i * CHUNK : (i + 1) * CHUNK])
        for i in range(count)
    ]
    return prefix + salt + commitment + b"".join(chunks)


def open_segment(data_key, kind, number, sealed, salt=None):
    need(len(sealed) >= HEADER, "cut inside the header")
    prefix = sealed[:16]
    need(prefix == prefix_of(kind, number), "not this version, suite, kind or part")
    plain = plain_size(len(sealed))
    own_salt, commitment = sealed[16:48], sealed[48:80]
    key, expected = segment_keys(data_key, prefix, own_salt)
    if not hmac.compare_digest(commitment, expected) or salt not in (None, own_salt):
        raise not_authentic()
    count = max(1, -(-plain // CHUNK))
    body = sealed[HEADER:]
    return b"".join(
        unseal(
            key, nonce_of(i, i == count - 1), b"",
            body[i * SEALED_CHUNK : (i + 1) * SEALED_CHUNK],
        )
        for i in range(count)
    )


# Objects in parts


def footer_plain_size(upstream, layout):
    padded = -(-(16 + 44 * upstream + 128 + 80) // 1024) * 1024
    return padded if layout == 0 else padded - 80


def overhead(upstream):
    footer = footer_plain_size(upstream, 1)
    return 80 * upstream + 80 + footer + 16 * -(-footer // CHUNK)


def write_footer(layout, rows, digests):
    upstream = len(rows) + 1 if layout == 0 else len(rows)
    body = struct.pack(">BBHIQ", 1, layout, 0, len(rows), sum(size for _, size, _ in rows))
    for number, size, salt in rows:
        body += struct.pack(">IQ", number, size) + salt
    for kind, digest in digests:
        body += bytes([kind, len(digest)]) + digest
    return body.ljust(footer_plain_size(upstream, layout), b"\0")


def read_footer(body, layout, upstream):
    need(len(body) == footer_plain_size(upstream, layout), "footer of another size")
    version, said, reserved, count, total = struct.unpack_from(">BBHIQ", body)
    need((version, said, reserved) == (1, layout, 0), "footer of another form")
    need(count == (upstream - 1 if layout == 0 else upstream), "another count of parts")
    need(1 <= count <= PARTS_MAX, "count of parts")
    rows, offset, last = [], 16, 0
    for _ in range(count):
        number, size = struct.unpack_from(">IQ", body, offset)
        need(last < number <= PARTS_MAX, "numbers do not ascend")
        rows.append((number, size, body[offset + 12 : offset + 44]))
        last, offset = number, offset + 44
    need(len({salt for _, _, salt in rows}) == count, "a salt stands twice")
    need(sum(size for _, size, _ in rows) == total, "wrong sum")
    digests, last = [], 0
    while offset < len(body) and body[offset]:
        kind, length = body[offset], body[offset + 1]
        need(kind > last and DIGESTS.get(kind) == length, "digest")
        digests.append((kind, body[offset + 2 : offset + 2 + length]))
        last, offset = kind, offset + 2 + length
    need(not any(body[offset:]), "padding")
    return rows, digests


def seal_parts(data_key, layout, parts, digests, footer_salt):
    """`parts`: number, salt, plaintext."""
    body = b"".join(seal_segment(data_key, 1, n, salt, plain) for n, salt, plain in parts)
    rows = [(n, len(plain), salt) for n, salt, plain in parts]
    return body + seal_segment(
        data_key, 2, 0, footer_salt, write_footer(layout, rows, digests))


def open_parts(data_key, upstream, sealed):
    found = []
    for layout in (0, 1):
        size = sealed_size(footer_plain_size(upstream, layout))
        start = len(sealed) - size
        if start < 0 or (layout == 0 and upstream < 2):
            continue
        if sealed[start : start + 16] == prefix_of(2, 0):
            found.append((layout, start))
    need(found, "no footer")
    for layout, start in found:
        try:
            body = open_segment(data_key, 2, 0, sealed[start:])
        except Refused:
            continue
        rows, digests = read_footer(body, layout, upstream)
        sizes = [sealed_size(size) for _, size, _ in rows]
        need(sum(sizes) == start, "parts of another size")
        plaintext, offset = b"", 0
        for (number, _, salt), size in zip(rows, sizes):
            part = sealed[offset : offset + size]
            plaintext += open_segment(data_key, 1, number, part, salt)
            offset += size
        return plaintext, rows, digests, layout
    raise not_authentic()


# Envelopes


def context_of(tenant, bucket, key):
    parts = [part.encode() for part in (tenant, bucket, key)]
    return hashlib.sha256(
        b"CT1" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
    ).digest()


def to_text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_text(text, limit):
    need(len(text) <= limit, "too long")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    need(all(c in alphabet for c in text) and len(text) % 4 != 1, "no base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    need(to_text(data) == text, "unused bits")
    return data


def field(tag, value):
    return bytes([tag, len(value)]) + value


def envelope_head(kind, reference, salt=None, commitment=None):
    head = bytes([1, 1, kind]) + field(1, reference.encode())
    return head if kind == 1 else head + field(2, salt) + field(3, commitment)


def wrap(data_key, head, context, epoch_key, wrap_salt):
    head += field(4, wrap_salt)
    key = expand(extract(wrap_salt, epoch_key), b"wrap")
    return to_text(head + field(5, seal(key, bytes(12), context + head, data_key)))


def read_envelope(text):
    data = from_text(text, 400)
    need(data[:2] == b"\1\1" and len(data) > 2 and data[2] in (0, 1), "envelope's first bytes")
    fields, starts, offset, last = {}, {}, 3, 0
    while offset < len(data):
        tag = data[offset]
        need(tag > last and offset + 1 < len(data), "fields do not ascend")
        end = offset + 2 + data[offset + 1]
        need(end <= len(data), "a field is cut")
        fields[tag], starts[tag] = data[offset + 2 : end], offset
        last, offset = tag, end
    wanted = {1} | ({2, 3} if data[2] == 0 else set())
    need(set(fields) in (wanted | {4, 5}, wanted | {6}), "fields")
    lengths = {2: 32, 3: 32, 4: 32, 5: 48}
    need(all(len(fields[t]) == n for t, n in lengths.items() if t in fields), "length")
    for tag, limit in ((1, 64), (6, 160)):
        if tag in fields:
            need(1 <= len(fields[tag]) <= limit, "length")
            need(all(0x21 <= byte <= 0x7E for byte in fields[tag]), "characters")
    need(6 not in fields or fields[6].startswith(b"vault:v"), "no vault ciphertext")
    return data[2], fields, data[: starts[5]] if 5 in fields else None


def unwrap(text, context, epoch_key):
    _, fields, head = read_envelope(text)
    need(head is not None, "mode A")
    key = expand(extract(fields[4], epoch_key), b"wrap")
    return unseal(key, bytes(12), context + head, fields[5])


def user_key(data_key, salt):
    return expand(extract(salt, metadata_key(data_key)), b"CT1 user")


def seal_user(data_key, salt, context, pairs):
    body = b"".join(
        struct.pack(">H", len(text.encode())) + text.encode() for pair in pairs for text in pair)
    return to_text(salt + seal(user_key(data_key, salt), bytes(12), context, body))


def open_user(data_key, text, context):
    data = from_text(text, 1_600)
    need(len(data) >= 48, "too short")
    body = unseal(user_key(data_key, data[:32]), bytes(12), context, data[32:])
    texts = []
    while body:
        need(len(body) >= 2, "cut")
        (length,) = struct.unpack_from(">H", body)
        need(len(body) >= 2 + length, "cut")
        texts.append(body[2 : 2 + length].decode())
        body = body[2 + length :]
    need(len(texts) % 2 == 0, "a name without a value")
    return [[texts[i], texts[i + 1]] for i in range(0, len(texts), 2)]


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "make"):
        raise SystemExit(__doc__)
    # Imported here: both build on this file.
    import peer
    import vectors

    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "make":
        (folder / "peer.json").write_text(peer.text())
    else:
        sys.exit(not vectors.check(folder, peer.text()))


if __name__ == "__main__":
    main()
