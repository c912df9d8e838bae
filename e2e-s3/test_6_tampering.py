# SPDX-License-Identifier: Apache-2.0
"""Whoever runs the store changes what it keeps: no read gives anything of it, and nothing false."""
import bodies
import ct1
import proxy
import raw
from chain import lowered
from evidence import evidence
from targets import IS_CONTROL, only_sealed, played

SIZE = 4 * bodies.CHUNK + 1_234
MIB5 = 5 * bodies.MIB
# The control of what is recorded.
CLOSED = "what nobody has touched is read, before and after"


def flipped(data, place, bit=0):
    changed = bytearray(data)
    changed[place] ^= 1 << bit
    return bytes(changed)


def chunk_at(index):
    """Where it begins in a segment."""
    return ct1.HEADER + ct1.SEALED_CHUNK * index


class Store:
    """What its owner can do, past the proxy."""

    def taken(self, key, bucket=None):
        answer = self.store.get_object(Bucket=bucket or self.bucket, Key=key)
        return answer["Body"].read(), lowered(answer["Metadata"])

    def plant(self, key, data, metadata, bucket=None):
        metadata = {name: value for name, value in metadata.items() if name != "mtime"}
        self.store.put_object(Bucket=bucket or self.bucket, Key=key, Body=data, Metadata=metadata)

    def assertClosed(self, key, original, bad=0, bucket=None, headers=None, others=()):
        """Not one byte from `bad` on, where the changed chunk begins; and what came before it is true."""
        answer = raw.fetched(self.s3, bucket or self.bucket, key, self.target, headers)
        if answer.status in (200, 206):
            self.assertTrue(answer.is_cut, f"{key}: a whole answer of {len(answer.body)} bytes")
            self.assertLessEqual(len(answer.body), bad, key)
            self.assertEqual(answer.body, original[: len(answer.body)])
        else:
            self.assertTrue(answer.status == 0 or answer.status >= 400, answer)
            self.assertLess(len(answer.body), 2_000)
            for text in original, *others:
                self.assertNotIn(text[:24], answer.body)
            self.codes.add((answer.status, answer.code))
        return answer

    def assertReads(self, key, original, bucket=None):
        answer = raw.fetched(self.s3, bucket or self.bucket, key, self.target)
        self.assertEqual((answer.status, answer.is_cut), (200, False), answer)
        self.assertEqual(answer.body, original)


@played(needs_upstream=True)
class Segments(Store):
    @classmethod
    def begin(cls):
        cls.store = cls.target.upstream.client()
        cls.codes = set()
        cls.a, cls.b = (bodies.body(SIZE, name) for name in "ab")
        for key, data in ("a", cls.a), ("b", cls.b):
            cls.s3.put_object(Bucket=cls.bucket, Key=key, Body=data, Metadata={"m": key})

    def setUp(self):
        """The control of each test: what nobody has touched is read."""
        self.assertReads("a", self.a)
        self.sealed, self.metadata = self.taken("a")
        self.other, self.others_metadata = self.taken("b")
        if IS_CONTROL:
            # Something to be changed.
            for metadata in self.metadata, self.others_metadata:
                metadata |= {"ct1": "A" * 160, "ct1m": "A" * 120}
        self.codes.clear()

    def tearDown(self):
        self.plant("a", self.sealed, self.metadata)
        self.plant("b", self.other, self.others_metadata)
        self.assertReads("a", self.a)

    def restored(self):
        """The control of what is recorded: as it was, it is read."""
        self.plant("a", self.sealed, self.metadata)
        self.assertReads("a", self.a)
        self.control()

    def tried(self, data, bad=0, metadata=None):
        self.plant("a", data, self.metadata if metadata is None else metadata)
        self.assertClosed("a", self.a, bad, others=[self.b])

    @only_sealed
    def test_the_size_is_that_of_the_format(self):
        self.assertEqual(len(self.sealed), ct1.sealed_size(SIZE))

    @only_sealed
    @evidence("SIM-S3-04", CLOSED)
    def test_a_bit_anywhere(self):
        """with a bit changed in the head, the metadata or any chunk, no byte of that chunk is given"""
        for place in (*range(0, 16, 3), 16, 47, 48, 79):
            self.tried(flipped(self.sealed, place, place % 8))
        for index in range(5):
            for place in chunk_at(index), min(chunk_at(index + 1), len(self.sealed)) - 1:
                self.tried(flipped(self.sealed, place, 3), index * bodies.CHUNK)
        self.restored()

    @only_sealed
    def test_a_range_that_touches_it(self):
        self.plant("a", flipped(self.sealed, chunk_at(2) + 5), self.metadata)
        start = 2 * bodies.CHUNK
        for text in f"{start}-{start + 9}", f"{start + 9_000}-", f"-{SIZE - start}":
            self.assertClosed("a", self.a[start:], 0, headers={"range": f"bytes={text}"})
        self.assertClosed("a", self.a[100:], start - 100, headers={"range": "bytes=100-"})

    @only_sealed
    @evidence("SIM-S3-04", CLOSED)
    def test_cut_at_every_chunk(self):
        """an object that was cut is never given as a whole one"""
        for index in range(5):
            self.tried(self.sealed[: chunk_at(index)], max(0, index - 1) * bodies.CHUNK)
        for size in 0, 1, 79, 81, 96, chunk_at(2) + 16, len(self.sealed) - 1:
            self.tried(self.sealed[:size], max(0, (size - ct1.HEADER) // ct1.SEALED_CHUNK) * bodies.CHUNK)
        self.restored()

    @only_sealed
    def test_something_behind_it(self):
        for more in b"\0", bytes(16), self.other[chunk_at(1) : chunk_at(2)], self.sealed[chunk_at(4) :]:
            self.tried(self.sealed + more, SIZE - SIZE % bodies.CHUNK)

    @only_sealed
    def test_chunks_in_another_place(self):
        chunks = [self.sealed[chunk_at(index) : chunk_at(index + 1)] for index in range(5)]
        head = self.sealed[: ct1.HEADER]
        for order, bad in (((1, 0, 2, 3, 4), 0), ((0, 1, 3, 2, 4), 2), ((0, 0, 1, 2, 4), 1),
                           ((0, 1, 3, 4), 2), ((0, 1, 2, 3, 3, 4), 4), ((4,), 0)):
            self.tried(head + b"".join(chunks[index] for index in order), bad * bodies.CHUNK)

    @only_sealed
    def test_chunks_of_another_object(self):
        self.tried(self.sealed[: chunk_at(1)] + self.other[chunk_at(1) : chunk_at(2)]
                   + self.sealed[chunk_at(2) :], bodies.CHUNK)
        self.tried(self.other[: ct1.HEADER] + self.sealed[ct1.HEADER :])
        self.tried(self.sealed[: ct1.HEADER] + self.other[ct1.HEADER :])

    @only_sealed
    @evidence("SIM-S3-04", CLOSED)
    def test_another_object_in_its_place(self):
        """another object in its place is not given for it"""
        self.tried(self.other, metadata=self.others_metadata)
        self.tried(self.other)
        self.tried(self.sealed, metadata=self.others_metadata)
        self.restored()

    @only_sealed
    def test_in_another_place(self):
        bucket = self.target.new_bucket()
        self.plant("a", self.sealed, self.metadata, bucket)
        self.assertClosed("a", self.a, bucket=bucket)
        self.plant("renamed", self.sealed, self.metadata)
        self.assertClosed("renamed", self.a)

    @only_sealed
    def test_without_its_metadata(self):
        self.tried(self.sealed, metadata={})
        self.tried(self.sealed, metadata={name: value for name, value in self.metadata.items()
                                          if name != "ct1"})

    @only_sealed
    def test_plaintext_in_its_place(self):
        forged = b"what the store would like to be read " * 2_000
        for metadata in {}, self.metadata:
            self.plant("a", forged, metadata)
            self.assertClosed("a", forged)

    @only_sealed
    def test_a_changed_envelope(self):
        envelope = self.metadata["ct1"]
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        for place in range(0, len(envelope), 9):
            other = alphabet[(alphabet.index(envelope[place]) + 17) % 64]
            changed = envelope[:place] + other + envelope[place + 1 :]
            self.tried(self.sealed, metadata=self.metadata | {"ct1": changed})
        for changed in "", "A", envelope[:-4], envelope + "AAAA", self.others_metadata["ct1"]:
            self.tried(self.sealed, metadata=self.metadata | {"ct1": changed})

    @only_sealed
    def test_changed_metadata_of_the_client(self):
        said = self.metadata["ct1m"]
        changed = said[:60] + ("A" if said[60] != "A" else "B") + said[61:]
        for text in changed, self.others_metadata["ct1m"], said[:-8]:
            self.tried(self.sealed, metadata=self.metadata | {"ct1m": text})

    @only_sealed
    def test_one_answer_for_whatever_depends_on_a_key(self):
        for place in 20, 50, ct1.HEADER + 1, ct1.HEADER + 60_000, chunk_at(1) - 1:
            self.tried(flipped(self.sealed, place))
        self.tried(self.other)
        self.assertEqual(len(self.codes), 1, self.codes)

    @only_sealed
    def test_a_changed_key_of_an_epoch(self):
        names = [one["Key"] for one in self.store.list_objects_v2(
            Bucket=self.bucket, Prefix=proxy.RESERVED).get("Contents", [])]
        kept = {name: self.taken(name) for name in names}
        self.assertTrue(kept, "no key of an epoch")
        before = self.target
        try:
            for name, (data, metadata) in kept.items():
                place = data.index(b"vault:v") + 40
                other = b"A" if data[place : place + 1] != b"A" else b"B"
                self.plant(name, data[:place] + other + data[place + 1 :], metadata)
            # One that has not seen them yet.
            type(self).target = self.stage.new_target(self.kind)
            type(self).s3 = self.target.client()
            self.assertClosed("a", self.a)
        finally:
            for name, (data, metadata) in kept.items():
                self.plant(name, data, metadata)
            type(self).target = before
            type(self).s3 = before.client()


@played(needs_upstream=True)
class Parts(Store):
    """Objects in parts, as two parts and a small one."""

    @classmethod
    def begin(cls):
        cls.store = cls.target.upstream.client()
        cls.codes = set()
        cls.whole = {}
        for key in "a", "b":
            cls.whole[key] = cls.uploaded(key)

    @classmethod
    def uploaded(cls, key):
        parts = [bodies.body(size, f"{key} {number}")
                 for number, size in enumerate((MIB5, MIB5, 70_001), 1)]
        upload = cls.s3.create_multipart_upload(Bucket=cls.bucket, Key=key)["UploadId"]
        done = [{"PartNumber": number, "ETag": cls.s3.upload_part(
            Bucket=cls.bucket, Key=key, UploadId=upload, PartNumber=number, Body=data)["ETag"]}
            for number, data in enumerate(parts, 1)]
        cls.s3.complete_multipart_upload(
            Bucket=cls.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done})
        return b"".join(parts)

    def pieces(self, key):
        """Both parts, and what the store has behind them."""
        sealed, metadata = self.taken(key)
        size = MIB5 if IS_CONTROL else ct1.sealed_size(MIB5)
        return [sealed[:size], sealed[size : 2 * size], sealed[2 * size :]], metadata

    def count(self, key):
        """How many parts the store has; None where it does not know."""
        return self.store.head_object(Bucket=self.bucket, Key=key, PartNumber=1).get("PartsCount")

    def plant_parts(self, key, pieces, metadata):
        metadata = {name: value for name, value in metadata.items() if name != "mtime"}
        if self.kind == "rclone":
            self.plant(key, b"".join(pieces), metadata)
            return
        # So that the count of parts stays, which is in the entity tag. With a footer of its own part:
        pieces = [piece for piece in pieces if piece]
        if self.parts == 4 and len(pieces) == 3 and len(pieces[2]) > ct1.sealed_size(70_001):
            cut = ct1.sealed_size(70_001)
            pieces = [*pieces[:2], pieces[2][:cut], pieces[2][cut:]]
        upload = self.store.create_multipart_upload(
            Bucket=self.bucket, Key=key, Metadata=metadata)["UploadId"]
        done = [{"PartNumber": number, "ETag": self.store.upload_part(
            Bucket=self.bucket, Key=key, UploadId=upload, PartNumber=number, Body=data)["ETag"]}
            for number, data in enumerate(pieces, 1)]
        self.store.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": done})

    def setUp(self):
        self.assertReads("a", self.whole["a"])
        self.parts = self.count("a")
        self.mine, self.metadata = self.pieces("a")
        self.others, self.others_metadata = self.pieces("b")

    def tearDown(self):
        self.plant_parts("a", self.mine, self.metadata)
        self.assertReads("a", self.whole["a"])

    def tried(self, pieces, bad=0, metadata=None):
        self.plant_parts("a", pieces, self.metadata if metadata is None else metadata)
        self.assertClosed("a", self.whole["a"], bad, others=[self.whole["b"]])

    @only_sealed
    def test_a_bit(self):
        one, two, rest = self.mine
        self.tried([flipped(one, 3), two, rest])
        self.tried([flipped(one, chunk_at(3) + 1), two, rest], 3 * bodies.CHUNK)
        self.tried([one, flipped(two, 20), rest], MIB5)
        self.tried([one, two, flipped(rest, 90)], 2 * MIB5)

    @only_sealed
    def test_a_bit_of_the_footer(self):
        one, two, rest = self.mine
        start = ct1.sealed_size(70_001)
        for place in start + 7, start + 20, start + 60, start + 81, start + 200, len(rest) - 1:
            self.tried([one, two, flipped(rest, min(place, len(rest) - 1))])

    @only_sealed
    def test_parts_in_another_order(self):
        one, two, rest = self.mine
        self.tried([two, one, rest])
        self.tried([one, one, rest], MIB5)

    @only_sealed
    def test_parts_that_are_missing(self):
        one, two, rest = self.mine
        start = ct1.sealed_size(70_001)
        for pieces in ([one, rest], [two, rest], [one, two], [one, two, rest[:start]],
                       [one, two, rest[start:]]):
            self.tried(pieces)

    @only_sealed
    def test_parts_of_another_object(self):
        one, two, rest = self.mine
        self.tried([one, self.others[1], rest], MIB5)
        self.tried([one, two, self.others[2]])
        self.tried(self.others)
        self.tried(self.others, metadata=self.others_metadata)

    @only_sealed
    def test_an_earlier_attempt_in_place_of_a_part(self):
        """The store keeps what was overwritten: the same part of the same object, uploaded before."""
        one, two, rest = self.mine
        type(self).whole["a"], before = self.uploaded("a"), one
        (now, two, rest), metadata = self.pieces("a")
        self.mine, self.metadata = [now, two, rest], metadata
        self.assertReads("a", self.whole["a"])
        self.tried([before, two, rest], metadata=metadata)
