# SPDX-License-Identifier: Apache-2.0
"""What leaves: ciphertext only. Looked for in everything that went to the store, in what the store has on
disk and in memory, and in all logs."""
import hashlib
import re
import secrets

import bodies
import chain
import ct1
import relay
import stage
import upstreams
from evidence import evidence
from targets import IS_CONTROL, only_sealed, played

MIB5 = 5 * bodies.MIB
# The control of what is recorded.
FOUND = "what was stored past the proxy is found by the same search"


@played(needs_upstream=True)
class Secrecy:
    seen = None

    @classmethod
    def begin(cls):
        cls.between = relay.Relay(cls.target.upstream.endpoint)
        cls.addClassCleanup(cls.between.close)
        cls.target = cls.stage.new_target(cls.kind, endpoint=cls.between.endpoint)
        cls.s3 = cls.target.client()
        cls.store = cls.target.upstream.client()
        # Of content, metadata's name and value, and what is said of the content.
        cls.canary, cls.name, cls.value, cls.said = (
            word + secrets.token_hex(10) for word in ("content", "name", "value", "said"))
        cls.bodies = {key: (cls.canary + key).encode() + bodies.body(size, key)
                      for key, size in (("small", 30), ("large", 3 * bodies.MIB), ("parts", MIB5 + 9))}
        more = {"Metadata": {cls.name: cls.value}, "ContentType": f"text/{cls.said}",
                "ContentDisposition": f"attachment; filename={cls.said}"}
        for key in "small", "large":
            cls.s3.put_object(Bucket=cls.bucket, Key=key, Body=cls.bodies[key],
                              ChecksumAlgorithm="SHA256", **more)
        cls.pieces = [cls.bodies["parts"], cls.canary.encode() + b" the last part"]
        upload = cls.s3.create_multipart_upload(Bucket=cls.bucket, Key="parts", **more)["UploadId"]
        done = [{"PartNumber": number, "ETag": cls.s3.upload_part(
            Bucket=cls.bucket, Key="parts", UploadId=upload, PartNumber=number, Body=data)["ETag"]}
            for number, data in enumerate(cls.pieces, 1)]
        cls.s3.complete_multipart_upload(
            Bucket=cls.bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": done})
        cls.s3.copy_object(Bucket=cls.bucket, Key="copy", CopySource=f"{cls.bucket}/large")
        # What rclone says of larger files.
        cls.s3.put_object(Bucket=cls.bucket, Key="with-md5", Body=cls.bodies["small"], Metadata={
            "md5chksum": bodies.digests(cls.bodies["small"])["md5 in base64"].decode()})
        cls.s3.get_object(Bucket=cls.bucket, Key="large")["Body"].read()
        cls.s3.list_objects_v2(Bucket=cls.bucket)

    def api(self):
        """All that the store tells, as it tells it."""
        found = [("the list", repr(self.store.list_objects_v2(Bucket=self.bucket)).encode())]
        for one in self.store.list_objects_v2(Bucket=self.bucket)["Contents"]:
            got = self.store.get_object(Bucket=self.bucket, Key=one["Key"], ChecksumMode="ENABLED")
            # rclone's checksums are those of another part now and then: what counts is what is said.
            found.append((f"content of {one['Key']}", got.pop("Body").read()))
            found.append((f"head of {one['Key']}", repr(got).encode()))
        return found

    def found(self, texts, places):
        """texts: by name, in the forms that are looked for."""
        hits = set()
        for where, data in places:
            for name, text in texts.items():
                if text in data:
                    hits.add((name, where))
        return sorted(hits)

    def everywhere(self):
        yield from self.between.recorded()
        yield from self.api()
        yield from self.target.upstream.stored()
        yield from self.stage.logs()

    @staticmethod
    def all_forms(*texts):
        return {f"{text[:8]}… {form}": data for text in texts
                for form, data in bodies.forms(text).items()}

    def anywhere(self, texts):
        """Where the texts are. Looking is slow, so it is done once, for all that tests look for."""
        cls = type(self)
        if not cls.seen:
            wanted = (cls.canary, bodies.CANARY, cls.name, cls.value, cls.said, *self.secrets().values())
            cls.seen = {text: [] for text in wanted}
            forms = {(text, form): data for text in wanted for form, data in bodies.forms(text).items()}
            for (text, form), where in self.found(forms, self.everywhere()):
                cls.seen[text].append((form, where))
        return [hit for text in texts for hit in cls.seen[text]]

    def secrets(self):
        kept = {"the client's secret": stage.CLIENT_SECRET, "another client's secret": stage.OTHER_SECRET,
                "the vault's root token": self.stage.vault.token}
        return kept | {f"secret id {number}": text for number, text in enumerate(self.stage.secret_ids)}

    @only_sealed
    @evidence("SIM-S3-05", FOUND)
    def test_content(self):
        """no content, of all tests of this run, is on the way to the store, in what it keeps or in a log"""
        self.assertEqual(self.anywhere([self.canary, bodies.CANARY]), [])
        self.test_the_search_finds_what_is_there()
        self.control()

    @only_sealed
    @evidence("SIM-S3-05", FOUND)
    def test_metadata(self):
        """no name, value or type of an object's metadata is there, and the client gets them back"""
        self.assertEqual(self.anywhere([self.name, self.value, self.said]), [])
        got = self.s3.head_object(Bucket=self.bucket, Key="large")
        self.assertEqual((got["Metadata"], got["ContentType"]),
                         ({self.name: self.value}, f"text/{self.said}"))
        self.test_the_search_finds_what_is_there()
        self.control()

    @only_sealed
    def test_digests(self):
        texts = {}
        for data in [*self.bodies.values(), *self.pieces]:
            for kind, digest in bodies.digests(data).items():
                texts[f"{kind} of {len(data)} bytes"] = digest
        whole = b"".join(hashlib.md5(piece).digest() for piece in self.pieces)
        texts["md5 of parts"] = hashlib.md5(whole).hexdigest().encode()
        places = [*self.between.recorded(), *self.api(), *self.stage.logs()]
        self.assertEqual(self.found(texts, places), [])

    def test_the_search_finds_what_is_there(self):
        """The control: uploaded to the store itself, past the relay, it is found in each place."""
        canary, value = "direct" + secrets.token_hex(10), "value" + secrets.token_hex(10)
        data = canary.encode() + bytes(100)
        direct = upstreams.client(self.between.endpoint, upstreams.ACCESS_KEY, upstreams.SECRET)
        if self.kind == "rclone":
            # The relay's address is not the one that this client signs.
            direct = self.store
        direct.put_object(Bucket=self.bucket, Key="direct", Body=data, Metadata={"m": value})
        try:
            texts = self.all_forms(canary, value)
            for places in self.api(), self.target.upstream.stored():
                names = {name for name, _ in self.found(texts, places)}
                self.assertEqual({name.split("…")[0] for name in names}, {canary[:8], value[:8]})
            digests = bodies.digests(data)
            self.assertIn("md5 in hex", {name for name, _ in self.found(digests, self.api())})
        finally:
            self.store.delete_object(Bucket=self.bucket, Key="direct")

    def test_the_logs_are_looked_at(self):
        """The control of those that find nothing: the store's log names each object it makes or asks for."""
        hits = self.found({"bucket": self.bucket.encode()}, self.stage.logs())
        self.assertIn(self.target.upstream.log, {where for _, where in hits})

    def test_credentials(self):
        self.assertFalse(IS_CONTROL and stage.CLIENT_SECRET == upstreams.SECRET)
        self.assertEqual(self.anywhere(self.secrets().values()), [])
        # The store itself has to know this one, and rclone writes what it was started with into its log.
        logs = [(where, data) for where, data in self.stage.logs()
                if where not in [one.log for one in self.stage.upstreams.values()]]
        texts = {f"the upstream's secret {form}": data
                 for form, data in bodies.forms(upstreams.SECRET).items()}
        self.assertEqual(self.found(texts, [*self.between.recorded(), *logs]), [])
        self.assertEqual(self.found({"a vault's token": b"hvs."}, [
            *self.between.recorded(), *self.api()]), [])

    @only_sealed
    def test_by_another_hand(self):
        """Key from the vault, bytes from the store, opened by Tests/ct1/ct1.py."""
        for key in "small", "large", "copy":
            plaintext, said = chain.opened(self.stage.vault, self.store, self.bucket, key)
            self.assertEqual(plaintext, self.bodies["large" if key == "copy" else key])
            self.assertIn(self.value, said.values(), said)
        plaintext, _ = chain.opened(self.stage.vault, self.store, self.bucket, "parts")
        self.assertEqual(plaintext, b"".join(self.pieces))

    @only_sealed
    def test_no_salt_stands_twice(self):
        """Of the same bytes uploaded again, also as the same part."""
        salts = []
        for _ in range(4):
            self.s3.put_object(Bucket=self.bucket, Key="again", Body=self.bodies["small"])
            sealed = self.store.get_object(Bucket=self.bucket, Key="again")["Body"].read()
            self.assertEqual(sealed[:4], ct1.MAGIC)
            salts.append(sealed[16:48])
        self.assertEqual(len(set(salts)), len(salts))
        # Of everything that was sent, parts and footers too. A small last part is sent twice as it is,
        # once to be kept and once in its place: one salt has one ciphertext.
        segments = [data for _, sent in self.between.recorded()
                    for data in re.findall(rb"CT1\0\x01\x01\x10[\s\S]{73}[\s\S]{16}", sent)]
        self.assertGreaterEqual(len(segments), 9)
        self.assertEqual(len({data[16:48] for data in segments}), len(set(segments)))
