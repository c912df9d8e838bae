# SPDX-License-Identifier: Apache-2.0
"""Opens the vectors of Fixtures/ct1 and makes each anew."""
import base64
import json

from ct1 import (
    CHUNK, HEADER, Refused, SEALED_CHUNK, context_of, envelope_head, field, metadata_key,
    nonce_of, open_parts, open_segment, open_user, overhead, plain_size, read_envelope,
    seal_parts, seal_segment, seal_user, segment_keys, to_text, unseal, unwrap, wrap,
)


def plaintext(start, count):
    return bytes((i * 31 + 7 + 13 * (i >> 16)) % 256 for i in range(start, start + count))


def unhex(text):
    return bytes.fromhex(text)


def unbase(text):
    return base64.b64decode(text)


def based(data):
    return base64.b64encode(data).decode()


def check_segment(vector):
    data_key, sealed = unhex(vector["dataKey"]), unbase(vector["sealed"])
    kind, number, size = vector["kind"], vector["partNumber"], vector["plainBytes"]
    wanted = plaintext(0, size)
    assert open_segment(data_key, kind, number, sealed) == wanted
    assert seal_segment(data_key, kind, number, unhex(vector["salt"]), wanted) == sealed
    key, commitment = segment_keys(data_key, sealed[:16], sealed[16:48])
    assert vector["chunkKey"] == key.hex() and vector["commitment"] == commitment.hex()
    assert plain_size(len(sealed)) == size


def check_parts(vector):
    data_key, sealed = unhex(vector["dataKey"]), unbase(vector["sealed"])
    found, rows, digests, layout = open_parts(data_key, vector["upstreamParts"], sealed)
    sizes = [part["plainBytes"] for part in vector["parts"]]
    assert found == plaintext(0, sum(sizes)) and layout == vector["layout"]
    assert [(n, size, salt.hex()) for n, size, salt in rows] == [
        (part["number"], part["plainBytes"], part["salt"]) for part in vector["parts"]]
    assert [[kind, digest.hex()] for kind, digest in digests] == [
        [digest["kind"], digest["digest"]] for digest in vector["digests"]]
    parts, offset = [], 0
    for part in vector["parts"]:
        body = plaintext(offset, part["plainBytes"])
        parts.append((part["number"], unhex(part["salt"]), body))
        offset += part["plainBytes"]
    assert sealed == seal_parts(
        data_key, layout, parts, digests, unhex(vector["footerSalt"]))
    assert vector["metadataKey"] == metadata_key(data_key).hex()
    aligned = all(size % CHUNK == 0 and size for size in sizes[:-1])
    if aligned and (sizes[-1] or len(sizes) == 1):
        rest = len(sealed) - overhead(vector["upstreamParts"])
        assert rest - 16 * -(-rest // SEALED_CHUNK) == sum(sizes)


def check_envelope(vector):
    context = context_of(vector["tenant"], vector["bucket"], vector["key"])
    assert context.hex() == vector["context"]
    kind, fields, _ = read_envelope(vector["text"])
    assert kind == vector["kind"] and fields[1].decode() == vector["keyReference"]
    if kind == 0:
        assert fields[2].hex() == vector["salt"] and fields[3].hex() == vector["commitment"]
    head = envelope_head(kind, vector["keyReference"], fields.get(2), fields.get(3))
    if "ciphertext" in vector:
        assert fields[6].decode() == vector["ciphertext"]
        assert to_text(head + field(6, fields[6])) == vector["text"]
        return
    data_key, epoch_key = unhex(vector["dataKey"]), unhex(vector["epochKey"])
    assert unwrap(vector["text"], context, epoch_key) == data_key
    wrap_salt = unhex(vector["wrapSalt"])
    assert wrap(data_key, head, context, epoch_key, wrap_salt) == vector["text"]


def check_user(vector):
    context, data_key = unhex(vector["context"]), unhex(vector["dataKey"])
    assert open_user(data_key, vector["text"], context) == vector["pairs"]
    salt = unhex(vector["salt"])
    assert seal_user(data_key, salt, context, vector["pairs"]) == vector["text"]


def check_salamander(vector):
    sealed = unbase(vector["sealed"])
    keys = [unhex(vector[name]) for name in ("chunkKey", "otherChunkKey")]
    # The control: both keys open the chunk, to different plaintexts.
    plains = [unseal(key, nonce_of(0, True), b"", sealed[HEADER:]) for key in keys]
    assert plains[0] != plains[1]
    assert open_segment(unhex(vector["dataKey"]), 0, 0, sealed) == plains[0]
    try:
        open_segment(unhex(vector["otherKey"]), 0, 0, sealed)
    except Refused as refused:
        assert refused.by_key
        return
    raise AssertionError("opens with two data keys")


def bytes_of(pieces, vectors):
    made = b""
    for piece in pieces:
        if "hex" in piece:
            made += unhex(piece["hex"])
        else:
            made += unbase(vectors[piece["of"]]["sealed"])[piece["from"] : piece["to"]]
    return made


def attempt(case, vectors):
    """Opens what must fail."""
    form = case["form"]
    if form == "segment":
        sealed = bytes_of(case["pieces"], vectors)
        return open_segment(
            unhex(case["dataKey"]), case["kind"], case["partNumber"], sealed)
    if form == "parts":
        sealed = bytes_of(case["pieces"], vectors)
        return open_parts(unhex(case["dataKey"]), case["upstreamParts"], sealed)
    context = context_of(case["tenant"], case["bucket"], case["key"])
    return unwrap(case["text"], context, unhex(case["epochKey"]))


def check_failing(case, vectors):
    try:
        attempt(case, vectors)
    except Refused as refused:
        if case["byKey"]:
            assert refused.by_key, "told apart: " + str(refused)
        return
    raise AssertionError("was opened")


CHECKS = {"segment": check_segment, "parts": check_parts, "envelope": check_envelope,
          "userMetadata": check_user, "salamander": check_salamander}


def check(folder, wanted):
    """Prints what failed and, in the end, how many did: the form that .ci/run counts."""
    vectors, failed = {}, 0
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text())
        vectors.update({vector["name"]: vector for vector in document["vectors"]})
    forms = {form: 0 for form in (*CHECKS, "must fail")}
    for name, vector in vectors.items():
        form = "must fail" if "byKey" in vector else vector["form"]
        forms[form] += 1
        try:
            # What must fail is made of vectors that open: all of those are checked here too.
            if form == "must fail":
                check_failing(vector, vectors)
            else:
                CHECKS[form](vector)
        except (AssertionError, Refused) as failure:
            print(f"Error: {name}: {failure or 'not as it should be'}")
            failed += 1
    if (folder / "peer.json").read_text() != wanted:
        print("Error: peer.json is not what `make` writes")
        failed += 1
    for form in [form for form, count in forms.items() if count == 0]:
        print(f"Error: no vector of the form {form}")
        failed += 1
    print(", ".join(f"{count} {form}" for form, count in forms.items()))
    print(f"{max(0, len(vectors) - failed)} passed, {failed} failed")
    return failed == 0
