# SPDX-License-Identifier: Apache-2.0
"""Envelopes and statements, read by securesystemslib and in-toto."""
import base64
import copy
import hashlib
import os
import unittest

import in_toto_attestation.v1.statement_pb2 as statement_pb2
from cryptography.hazmat.primitives import serialization
from google.protobuf import json_format
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

import packages

KINDS = ("ed25519", "p256")


def public_key(kind):
    with open(packages.keys(kind)[1], "rb") as file:
        key = serialization.load_pem_public_key(file.read())
    info = key.public_bytes(serialization.Encoding.DER,
                            serialization.PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=hashlib.sha256(info).hexdigest())


def envelope(kind):
    return packages.read(packages.package("soa", kind), "statement.dsse.json")


def flipped(text, index):
    data = bytearray(base64.b64decode(text))
    data[index] ^= 1
    return base64.b64encode(bytes(data)).decode()


class Envelopes(unittest.TestCase):
    def test_securesystemslib_verifies_them(self):
        for kind in KINDS:
            with self.subTest(kind):
                verified = Envelope.from_dict(envelope(kind)).verify([public_key(kind)], 1)
                self.assertEqual(len(verified), 1)

    def test_one_flipped_bit_is_refused(self):
        for kind in KINDS:
            size = len(base64.b64decode(envelope(kind)["payload"]))
            for index in (0, size // 2, size - 1):
                changed = copy.deepcopy(envelope(kind))
                changed["payload"] = flipped(changed["payload"], index)
                self.refuse(changed, kind)
            for index in (9, 30, -1):
                changed = copy.deepcopy(envelope(kind))
                signature = changed["signatures"][0]
                signature["sig"] = flipped(signature["sig"], index)
                self.refuse(changed, kind)

    def refuse(self, changed, kind):
        with self.assertRaises(VerificationError):
            Envelope.from_dict(changed).verify([public_key(kind)], 1)

    def test_another_key_is_refused(self):
        other = public_key("ed25519")
        other.keyid = public_key("p256").keyid
        with self.assertRaises(VerificationError):
            Envelope.from_dict(envelope("p256")).verify([other], 1)

    def test_a_command_signs_as_a_vault_would(self):
        """openssl stands in for a key that never leaves its device."""
        for kind, command in (("ed25519", "openssl pkeyutl -sign -rawin -in /dev/stdin -inkey {}"),
                              ("p256", "openssl dgst -sha256 -sign {}")):
            with self.subTest(kind):
                key, known = packages.keys(kind)
                out = os.path.join(packages.place(), "packages", f"command-{kind}")
                made = packages.run(
                    "evidence", "package", "--for", "dora", *packages.PERIOD, *packages.inputs(),
                    "--out", out, "--sign", "--sign-with", command.format(key),
                    "--public-key", known)
                self.assertEqual(made.returncode, 4, made.stderr)
                self.assertEqual(packages.verify(out, kind).returncode, 0)
                made = Envelope.from_dict(packages.read(out, "statement.dsse.json"))
                self.assertEqual(len(made.verify([public_key(kind)], 1)), 1)

    def test_a_command_with_another_key_is_refused_and_nothing_is_written(self):
        out = os.path.join(packages.place(), "packages", "other-command")
        made = packages.run(
            "evidence", "package", "--for", "dora", *packages.PERIOD, *packages.inputs(),
            "--out", out, "--sign", "--sign-with",
            f"openssl dgst -sha256 -sign {packages.keys('p256')[0]}",
            "--public-key", packages.keys("ed25519")[1])
        self.assertEqual(made.returncode, 1)
        self.assertIn("no signature of the public key", made.stderr)
        self.assertFalse(os.path.exists(out))


class Statements(unittest.TestCase):
    def read(self):
        text = base64.b64decode(envelope("ed25519")["payload"]).decode()
        message = statement_pb2.Statement()
        json_format.Parse(text, message)
        return message

    def test_in_toto_validates_it(self):
        Statement.copy_from_pb(self.read()).validate()

    def test_in_toto_refuses_it_without_its_type_or_a_digest(self):
        message = self.read()
        message.type = "https://in-toto.io/Statement/v0.1"
        with self.assertRaises(ValueError):
            Statement.copy_from_pb(message).validate()
        message = self.read()
        message.subject[0].digest.clear()
        with self.assertRaises(ValueError):
            Statement.copy_from_pb(message).validate()

    def test_subjects_are_the_files_and_the_commit(self):
        folder = packages.package("soa")
        names = {subject.name: dict(subject.digest) for subject in self.read().subject}
        commit = names.pop(f"git-commit-{packages.COMMIT[:12]}")
        self.assertEqual(commit, {"gitCommit": packages.COMMIT})
        own = {"statement.json", "statement.dsse.json"}
        expected = {path: {"sha256": hashlib.sha256(data).hexdigest()}
                    for path, data in packages.files(folder).items() if path not in own}
        self.assertEqual(names, expected)
