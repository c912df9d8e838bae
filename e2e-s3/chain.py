# SPDX-License-Identifier: Apache-2.0
"""An object by another hand: from what the upstream has and the vault's transit key, without the proxy."""
import base64

import ct1
import openbao

import proxy


def lowered(metadata):
    """Names of metadata as they were sent, whatever the upstream made of them."""
    return {name.lower(): value for name, value in metadata.items()}


def data_key(vault, upstream, bucket, key, envelope):
    """The key of an object of either mode."""
    _, fields, _ = ct1.read_envelope(envelope)
    context = ct1.context_of(proxy.TENANT, bucket, key)
    if 6 in fields:
        return decrypted(vault, fields[6].decode(), context)
    reference = fields[1].decode()
    stored = upstream.get_object(Bucket=bucket, Key=proxy.epoch_key_name(reference))["Body"].read()
    return ct1.unwrap(envelope, context, decrypted(
        vault, proxy.wrapped_epoch_key(stored), *proxy.epoch_contexts(bucket, reference)))


def decrypted(vault, ciphertext, *contexts):
    failure = None
    for context in contexts:
        try:
            answer = vault.call("POST", f"transit/decrypt/{proxy.TRANSIT_KEY}", {
                "ciphertext": ciphertext, "context": base64.b64encode(context).decode()})
            return base64.b64decode(answer["data"]["plaintext"])
        except openbao.VaultError as error:
            failure = error
    raise failure


def opened(vault, upstream, bucket, key):
    """Plaintext and the client's metadata."""
    answer = upstream.get_object(Bucket=bucket, Key=key)
    sealed, metadata = answer["Body"].read(), lowered(answer["Metadata"])
    assert "ct1" in metadata, f"{key} is not sealed"
    envelope = metadata["ct1"]
    kind, fields, _ = ct1.read_envelope(envelope)
    secret = data_key(vault, upstream, bucket, key, envelope)
    if kind == 0:
        plaintext = ct1.open_segment(secret, 0, 0, sealed, fields[2])
        assert sealed[16:80] == fields[2] + fields[3], "the envelope says another salt or commitment"
    else:
        plaintext = opened_parts(secret, sealed)
    said = metadata.get("ct1m")
    context = ct1.context_of(proxy.TENANT, bucket, key)
    return plaintext, dict(ct1.open_user(secret, said, context)) if said else {}


def opened_parts(secret, sealed):
    """rclone does not tell how many parts there were: what is authentic at its place counts."""
    for count in range(1, 40):
        try:
            return ct1.open_parts(secret, count, sealed)[0]
        except ct1.Refused:
            continue
    raise AssertionError("no footer opens")
