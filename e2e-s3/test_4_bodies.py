# SPDX-License-Identifier: Apache-2.0
"""Forms of bodies and what proves them: a body that is not what its sender said makes no object."""
import base64
import hashlib

import bodies
import raw
from checksums import NAMES, checksum
from targets import ALL, only_sealed, mended, played

CHUNKS = [bodies.body(65_536, "c1"), bodies.body(8_192, "c2"), bodies.body(1_001, "c3")]
WHOLE = b"".join(CHUNKS)


def in_the_last_chunk(pieces):
    """One bit, where frames of three chunks and their end are before the trailer."""
    changed = bytearray(pieces[2])
    changed[-5] ^= 1
    return [*pieces[:2], bytes(changed), *pieces[3:]]


@played(where=ALL)
class Bodies:
    @classmethod
    def begin(cls):
        cls.signer = raw.Signer(cls.target)

    def path(self, key):
        self.key = key
        return f"/{self.bucket}/{key}"

    def assertTaken(self, answer, data=WHOLE):
        self.assertEqual(answer.status, 200, answer)
        got = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        self.assertEqual(got["Body"].read(), data)
        # The frame's name is none of the content's.
        self.assertNotIn("aws-chunked", got.get("ContentEncoding", ""))

    def assertNotTaken(self, answer, *codes):
        self.assertGreaterEqual(answer.status, 400, answer)
        self.assertIn(answer.code, codes, answer)
        self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key=self.key), status=404)

    def fresh(self):
        return raw.Signer(self.target)

    def test_hashed(self):
        self.assertTaken(self.fresh().send("PUT", self.path("hashed"), body=WHOLE))

    @mended("rclone", "moto")
    def test_hashed_wrongly(self):
        self.assertNotTaken(self.fresh().send(
            "PUT", self.path("hashed-wrongly"), body=WHOLE, payload=hashlib.sha256(b"x").hexdigest()),
            "XAmzContentSHA256Mismatch")

    def test_unsigned(self):
        self.assertTaken(self.fresh().send(
            "PUT", self.path("unsigned"), body=WHOLE, payload="UNSIGNED-PAYLOAD"))

    @mended("rclone")
    def test_signed_chunks(self):
        self.assertTaken(self.fresh().chunked(self.path("signed"), CHUNKS))

    @mended("rclone")
    def test_signed_chunks_and_trailer(self):
        self.assertTaken(self.fresh().chunked(
            self.path("signed-trailer"), CHUNKS,
            ("x-amz-checksum-crc32c", checksum("crc32c", WHOLE))))

    @mended("rclone")
    def test_trailers(self):
        for name in NAMES:
            with self.subTest(name=name):
                self.assertTaken(self.fresh().chunked(
                    self.path(f"trailer-{name}"), CHUNKS,
                    (f"x-amz-checksum-{name}", checksum(name, WHOLE)), signs=False))

    @mended("rclone", "moto")
    def test_wrong_trailers(self):
        for name in NAMES:
            with self.subTest(name=name):
                self.assertNotTaken(self.fresh().chunked(
                    self.path(f"wrong-{name}"), CHUNKS,
                    (f"x-amz-checksum-{name}", checksum(name, WHOLE + b"x")), signs=False), "BadDigest")

    @mended("rclone", "moto")
    def test_a_changed_bit(self):
        trailer = "x-amz-checksum-sha256", checksum("sha256", WHOLE)
        self.assertNotTaken(self.fresh().chunked(
            self.path("bit-signed"), CHUNKS, change=in_the_last_chunk), "SignatureDoesNotMatch")
        self.assertNotTaken(self.fresh().chunked(
            self.path("bit-trailer"), CHUNKS, trailer, signs=False, change=in_the_last_chunk), "BadDigest")

    @mended("rclone", "moto")
    def test_a_missing_trailer(self):
        self.assertNotTaken(self.fresh().chunked(
            self.path("no-trailer"), CHUNKS, ("x-amz-checksum-crc32", checksum("crc32", WHOLE)), signs=False,
            change=lambda pieces: pieces[:-2] + pieces[-1:]), "MalformedTrailerError")

    @mended("moto")
    def test_chunks_that_are_missing(self):
        self.assertNotTaken(self.fresh().chunked(
            self.path("dropped"), CHUNKS, change=lambda pieces: pieces[:2] + pieces[3:]),
            "SignatureDoesNotMatch", "IncompleteBody")
        # A last chunk that is smaller than others may be is none until all is there.
        self.assertNotTaken(self.fresh().chunked(
            self.path("told-more"), CHUNKS, said=len(WHOLE) + 1), "IncompleteBody",
            "InvalidChunkSizeError")

    @mended("rclone", "moto")
    def test_checksums_of_the_whole(self):
        for name in NAMES:
            with self.subTest(name=name):
                header = f"x-amz-checksum-{name}"
                self.assertTaken(self.fresh().send(
                    "PUT", self.path(f"sum-{name}"), body=WHOLE, headers={header: checksum(name, WHOLE)}))
                self.assertNotTaken(self.fresh().send(
                    "PUT", self.path(f"wrong-sum-{name}"), body=WHOLE,
                    headers={header: checksum(name, b"x")}), "BadDigest")

    def test_content_md5(self):
        def md5(data):
            return {"content-md5": base64.b64encode(hashlib.md5(data).digest()).decode()}
        self.assertTaken(self.fresh().send("PUT", self.path("md5"), body=WHOLE, headers=md5(WHOLE)))

    @mended("moto")
    def test_another_content_md5(self):
        wrong = base64.b64encode(hashlib.md5(b"x").digest()).decode()
        self.assertNotTaken(self.fresh().send(
            "PUT", self.path("wrong-md5"), body=WHOLE, headers={"content-md5": wrong}), "BadDigest")

    def test_a_part_in_chunks(self):
        upload = self.s3.create_multipart_upload(Bucket=self.bucket, Key="part")["UploadId"]
        self.key = "part"
        answer = self.fresh().chunked(
            f"/{self.bucket}/part", CHUNKS, query=[("partNumber", "1"), ("uploadId", upload)])
        self.assertEqual(answer.status, 200, answer)
        listed = self.s3.list_parts(Bucket=self.bucket, Key="part", UploadId=upload)["Parts"]
        self.assertEqual([one["Size"] for one in listed], [len(WHOLE)])
        self.s3.complete_multipart_upload(
            Bucket=self.bucket, Key="part", UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": answer.headers["etag"]}]})
        self.assertTaken(answer)

    @only_sealed
    def test_what_was_refused_leaves_the_old_object(self):
        self.s3.put_object(Bucket=self.bucket, Key="old", Body=b"old")
        answer = self.fresh().chunked(
            self.path("old"), CHUNKS, ("x-amz-checksum-crc32", checksum("crc32", b"x")), signs=False)
        self.assertEqual(answer.code, "BadDigest", answer)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="old")["Body"].read(), b"old")
