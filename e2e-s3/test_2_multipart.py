# SPDX-License-Identifier: Apache-2.0
"""Objects in parts: in any order, again, by several replicas, or not at all."""
import hashlib
import io

from boto3.s3.transfer import TransferConfig

import bodies
from targets import IS_CONTROL, lacks, mended, only_sealed, played

MIB5 = 5 * bodies.MIB
STREAMED = "has streamed the part away and cannot take another one"
GAPS = "wants parts from 1 on without gaps"


class Uploads:
    """One upload at a time."""

    def create(self, key, **more):
        self.key = key
        self.upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key=key, **more)["UploadId"]
        self.parts = {}

    def put(self, number, data, s3=None):
        answer = (s3 or self.s3).upload_part(
            Bucket=self.bucket, Key=self.key, UploadId=self.upload, PartNumber=number, Body=data)
        self.parts[number] = answer["ETag"], data
        return answer["ETag"]

    def complete(self, numbers=None, s3=None):
        parts = [{"PartNumber": number, "ETag": self.parts[number][0]}
                 for number in numbers or sorted(self.parts)]
        return (s3 or self.s3).complete_multipart_upload(
            Bucket=self.bucket, Key=self.key, UploadId=self.upload, MultipartUpload={"Parts": parts})

    def abort(self):
        self.s3.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=self.upload)

    def assertStored(self, *numbers, s3=None):
        s3 = s3 or self.s3
        wanted = b"".join(self.parts[number][1] for number in numbers or sorted(self.parts))
        head = s3.head_object(Bucket=self.bucket, Key=self.key)
        got = s3.get_object(Bucket=self.bucket, Key=self.key)
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=self.key)["Contents"]
        sizes = [one["Size"] for one in listed if one["Key"] == self.key]
        self.assertEqual(hashlib.sha256(got["Body"].read()).digest(), hashlib.sha256(wanted).digest())
        self.assertEqual([head["ContentLength"], got["ContentLength"], *sizes], [len(wanted)] * 3)
        edges = {0, len(wanted) - 1, *(edge for edge in (MIB5 - 1, MIB5) if edge < len(wanted))}
        for start in edges:
            end = min(start + 70_000, len(wanted))
            part = s3.get_object(Bucket=self.bucket, Key=self.key, Range=f"bytes={start}-{end - 1}")
            self.assertEqual(part["Body"].read(), wanted[start:end])
        return got

    def uploads(self):
        return [(one["Key"], one["UploadId"]) for one in self.s3.list_multipart_uploads(
            Bucket=self.bucket).get("Uploads", [])]


@played()
class Multipart(Uploads):
    def test_in_order(self):
        self.create("in-order", ContentType="text/x-parts", CacheControl="no-cache", Metadata={"a": "b"})
        for number in 1, 2, 3:
            self.put(number, bodies.body(MIB5, f"{number}"))
        self.complete()
        got = self.assertStored()
        self.assertEqual((got["ContentType"], got.get("CacheControl")), ("text/x-parts", "no-cache"))

    @mended("rclone")
    def test_metadata(self):
        self.create("metadata", Metadata={"a-b": "c"})
        self.put(1, b"x")
        self.complete()
        self.assertEqual(
            self.s3.head_object(Bucket=self.bucket, Key=self.key)["Metadata"], {"a-b": "c"})

    @mended("rclone")
    def test_one_entity_tag_everywhere(self):
        self.create("tags")
        self.put(1, bodies.body(MIB5))
        self.put(2, b"x")
        told = self.complete()["ETag"]
        tags = {told, self.s3.head_object(Bucket=self.bucket, Key="tags")["ETag"],
                self.s3.get_object(Bucket=self.bucket, Key="tags")["ETag"]}
        tags |= {one["ETag"] for one in self.s3.list_objects_v2(
            Bucket=self.bucket, Prefix="tags")["Contents"]}
        self.assertEqual(len(tags), 1, tags)
        self.assertRegex(tags.pop(), r'^"[^"]+-[0-9]+"$')

    def test_out_of_order(self):
        self.create("out-of-order")
        for number in 3, 1, 2:
            self.put(number, bodies.body(MIB5 if number < 3 else 12_345, f"o{number}"))
        self.complete()
        self.assertStored()

    @lacks(rclone=GAPS)
    def test_with_gaps(self):
        self.create("gaps")
        for number in 2, 70, 9_999:
            self.put(number, bodies.body(MIB5, f"g{number}"))
        self.complete()
        self.assertStored()

    @lacks(rclone=GAPS)
    def test_some_parts_only(self):
        self.create("some")
        for number in 1, 2, 3:
            self.put(number, bodies.body(MIB5, f"s{number}"))
        self.complete([1, 3])
        self.assertStored(1, 3)

    def test_a_small_last_part(self):
        for size in 1, 65_536, MIB5 - 1:
            with self.subTest(size=size):
                self.create(f"small-{size}")
                self.put(1, bodies.body(MIB5, "first"))
                self.put(2, bodies.body(size, "last"))
                self.complete()
                self.assertStored()

    def test_one_part_of_any_size(self):
        for size in 0, 1, MIB5, MIB5 + 1:
            with self.subTest(size=size):
                self.create(f"one-{size}")
                self.put(1, bodies.body(size, "only"))
                self.complete()
                if size:
                    self.assertStored()
                else:
                    self.assertEqual(
                        self.s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read(), b"")

    def test_parts_that_are_no_whole_chunks(self):
        """No arithmetic tells their sizes from a list."""
        self.create("unaligned")
        for number in 1, 2, 3:
            self.put(number, bodies.body(MIB5 + number * 1001, f"u{number}"))
        self.complete()
        self.assertStored()

    @lacks(rclone=STREAMED)
    def test_again_before_its_turn(self):
        self.create("again-early")
        self.put(2, bodies.body(MIB5, "to be replaced"))
        self.put(2, bodies.body(70_001, "the last one"))
        self.put(1, bodies.body(MIB5, "1"))
        self.complete()
        self.assertStored()

    @lacks(rclone=STREAMED)
    def test_again_with_other_bytes(self):
        self.create("again")
        self.put(1, bodies.body(MIB5, "to be replaced"))
        self.put(2, bodies.body(70_000, "to be replaced"))
        old = self.parts[1][0]
        self.put(1, bodies.body(MIB5 + 5, "new"))
        self.put(2, bodies.body(70_001, "new"))
        self.assertNotEqual(self.parts[1][0], old)
        self.complete()
        self.assertStored()

    @lacks(rclone=STREAMED)
    def test_completed_with_a_part_that_was_replaced(self):
        self.create("replaced")
        old = self.put(1, bodies.body(MIB5, "a"))
        self.put(1, bodies.body(MIB5, "b"))
        self.parts[1] = old, b""
        self.assertRefused(self.complete, "InvalidPart", status=400)
        self.abort()

    @lacks(rclone="forgets an upload when it is completed")
    def test_completed_twice(self):
        self.create("twice")
        self.put(1, bodies.body(MIB5, "t"))
        self.put(2, b"end")
        tags = [self.complete()["ETag"] for _ in range(2)]
        self.assertEqual(tags[0], tags[1])
        self.assertStored()

    @mended("rclone")
    def test_a_middle_part_that_is_too_small(self):
        self.create("too-small")
        self.put(1, bodies.body(MIB5 - 1))
        self.put(2, b"x")
        self.assertRefused(self.complete, "EntityTooSmall", status=400)
        self.abort()

    def test_aborted(self):
        self.create("aborted")
        self.put(1, bodies.body(MIB5))
        self.abort()
        self.assertNotIn((self.key, self.upload), self.uploads())
        self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key=self.key), status=404)

    @mended("moto")
    def test_what_was_aborted_is_gone(self):
        self.create("aborted")
        self.put(1, bodies.body(MIB5))
        self.abort()
        self.assertRefused(self.complete, "NoSuchUpload", status=404)
        self.assertRefused(lambda: self.put(2, b"x"), "NoSuchUpload", status=404)

    @mended("rclone", "moto")
    def test_completed_wrongly(self):
        self.create("wrongly")
        self.put(1, bodies.body(MIB5, "1"))
        self.put(2, b"2")
        good = dict(self.parts)
        self.parts[2] = '"0123456789abcdef0123456789abcdef"', b""
        self.assertRefused(self.complete, "InvalidPart", status=400)
        self.parts = good | {3: good[1]}
        self.assertRefused(self.complete, "InvalidPart", status=400)
        self.parts = good
        self.assertRefused(lambda: self.complete([2, 1]), "InvalidPartOrder", status=400)
        self.complete()
        self.assertStored()

    def test_nothing_is_there_before_it_is_completed(self):
        self.s3.put_object(Bucket=self.bucket, Key="meanwhile", Body=b"old")
        self.create("meanwhile")
        self.put(1, b"new")
        self.assertEqual(
            self.s3.get_object(Bucket=self.bucket, Key="meanwhile")["Body"].read(), b"old")
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix="meanwhile")["Contents"]
        self.assertEqual([one["Size"] for one in listed], [3])
        self.complete()
        self.assertStored()

    def test_lists_of_parts_and_uploads(self):
        self.create("lists/α")
        sizes = {1: MIB5, 2: 65_537, 3: 1}
        for number, size in sizes.items():
            self.put(number, bodies.body(size, f"l{number}"))
        parts = self.s3.list_parts(Bucket=self.bucket, Key=self.key, UploadId=self.upload)["Parts"]
        self.assertEqual({one["PartNumber"]: one["Size"] for one in parts}, sizes)
        self.assertEqual({one["PartNumber"]: one["ETag"] for one in parts},
                         {number: tag for number, (tag, _) in self.parts.items()})
        self.assertIn((self.key, self.upload), self.uploads())
        self.abort()

    def test_pages_of_parts(self):
        self.create("pages")
        for number in range(1, 6):
            self.put(number, bodies.body(number * 1000, "pages"))
        found = []
        for page in self.s3.get_paginator("list_parts").paginate(
                Bucket=self.bucket, Key=self.key, UploadId=self.upload, PaginationConfig={"PageSize": 2}):
            found.append([(one["PartNumber"], one["Size"]) for one in page["Parts"]])
        self.assertEqual(found, [[(1, 1000), (2, 2000)], [(3, 3000), (4, 4000)], [(5, 5000)]])
        self.abort()

    @mended("rclone")
    def test_from_another_object(self):
        data = bodies.body(6 * bodies.MIB + 11, "source of parts")
        self.s3.put_object(Bucket=self.bucket, Key="source", Body=data)
        self.create("copied-parts")
        for number, (first, last) in {1: (0, MIB5), 2: (1, MIB5 + 1), 3: (0, None)}.items():
            some = {} if last is None else {"CopySourceRange": f"bytes={first}-{last - 1}"}
            answer = self.s3.upload_part_copy(
                Bucket=self.bucket, Key=self.key, UploadId=self.upload, PartNumber=number,
                CopySource=f"{self.bucket}/source", **some)
            self.assertIn("ETag", answer["CopyPartResult"])
            self.parts[number] = answer["CopyPartResult"]["ETag"], data[first:last]
        self.complete()
        self.assertStored()

    @mended("rclone", "moto")
    def test_a_part_by_its_number(self):
        self.create("by-number")
        self.put(1, bodies.body(MIB5 + 7, "n1"))
        self.put(2, bodies.body(100, "n2"))
        self.complete()
        for number in 1, 2:
            got = self.s3.get_object(Bucket=self.bucket, Key=self.key, PartNumber=number)
            self.assertEqual(got["Body"].read(), self.parts[number][1])
            self.assertEqual(got["PartsCount"], 2)

    def test_copied_as_a_whole(self):
        self.create("whole")
        self.put(1, bodies.body(MIB5, "w1"))
        self.put(2, bodies.body(100, "w2"))
        self.complete()
        self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource=f"{self.bucket}/whole")
        self.key = "copy"
        self.assertStored()

    def test_transfer_manager(self):
        data = bodies.body(64 * bodies.MIB, "transfer")
        setting = TransferConfig(multipart_chunksize=8 * bodies.MIB, max_concurrency=8)
        self.s3.upload_fileobj(io.BytesIO(data), self.bucket, "transfer", Config=setting)
        self.assertEqual(
            self.s3.list_objects_v2(Bucket=self.bucket, Prefix="transfer")["Contents"][0]["Size"], len(data))
        into = io.BytesIO()
        self.s3.download_fileobj(self.bucket, "transfer", into, Config=setting)
        self.assertEqual(hashlib.sha256(into.getvalue()).digest(), hashlib.sha256(data).digest())
        self.s3.delete_object(Bucket=self.bucket, Key="transfer")


@played(needs_upstream=True)
class Replicas(Uploads):
    """Any replica goes on where another one was killed."""

    @classmethod
    def begin(cls):
        cls.others = [cls.stage.new_target(cls.kind) for _ in range(2)]

    def test_completed_by_another_after_a_kill(self):
        first, second = self.others
        self.s3 = first.client()
        self.create("killed", Metadata={"a": "b"}, ContentType="text/x-killed")
        self.put(1, bodies.body(MIB5, "k1"))
        self.put(2, bodies.body(MIB5, "k2"))
        self.put(4, bodies.body(4_321, "k4"))
        if not IS_CONTROL:
            first.server.kill()
            self.assertIsNotNone(first.server.process.returncode)
        self.s3 = second.client()
        self.put(3, bodies.body(MIB5, "k3"))
        parts = self.s3.list_parts(Bucket=self.bucket, Key=self.key, UploadId=self.upload)["Parts"]
        self.assertEqual({one["PartNumber"]: one["Size"] for one in parts},
                         {1: MIB5, 2: MIB5, 3: MIB5, 4: 4_321})
        self.complete()
        for reader in second.client(), self.target.client():
            got = self.assertStored(s3=reader)
            self.assertEqual(got["ContentType"], "text/x-killed")

    @only_sealed
    def test_no_state_is_left(self):
        """Of uploads that came to their end. The control: while one goes on something may be there, and
        its bytes are at the upstream."""
        self.s3 = self.target.client()
        self.create("state")
        self.put(1, bodies.body(MIB5, "s"))
        self.put(2, b"last")
        self.complete()
        self.create("state-aborted")
        self.put(1, b"small")
        self.abort()
        names = [one["Key"] for one in self.target.upstream.client().list_objects_v2(
            Bucket=self.bucket)["Contents"]]
        self.assertIn("state", names)
        import proxy
        # Keys of epochs stay.
        left = [name for name in names if name.startswith(proxy.RESERVED)]
        self.assertTrue(left, "the proxy keeps nothing of its own here?")
        self.assertFalse([name for name in left if self.upload in name or "upload" in name], left)


