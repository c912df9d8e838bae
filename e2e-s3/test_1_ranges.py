# SPDX-License-Identifier: Apache-2.0
"""Every range is the slice of the original."""
import random

import bodies
import raw
from targets import IS_CONTROL, lacks, mended, played

END = bodies.CHUNK
# rclone sends parts as if they were the whole.
STATUS = (200, 206) if IS_CONTROL else (206,)
SIZES = (0, 1, END - 1, END, END + 1, 3 * END, 5 * bodies.MIB)


def slices(size):
    """Bounds, as in Python: the first byte and the one after the last."""
    edges = {0, 1, size // 2, size - 2, size - 1, size}
    edges |= {edge + near for edge in (END, 2 * END) for near in (-1, 0, 1)}
    edges = sorted(edge for edge in edges if 0 <= edge <= size)
    found = [(first, last) for first in edges for last in edges if first < last]
    chance = random.Random(size)
    return chance.sample(found, min(len(found), 24))


@played()
class Ranges:
    @classmethod
    def begin(cls):
        for size in SIZES:
            cls.s3.put_object(Bucket=cls.bucket, Key=f"{size}", Body=bodies.body(size, "ranges"))

    def got(self, size, text):
        return raw.fetched(self.s3, self.bucket, f"{size}", self.target, {"range": f"bytes={text}"})

    def assertSlice(self, size, text, first, last):
        answer = self.got(size, text)
        self.assertIn(answer.status, STATUS, (size, text, answer))
        self.assertEqual(answer.headers["content-range"], f"bytes {first}-{last - 1}/{size}")
        self.assertEqual(answer.headers["content-length"], str(last - first))
        self.assertEqual(answer.body, bodies.body(size, "ranges")[first:last], (size, text))

    def test_slices(self):
        for size in SIZES:
            for first, last in slices(size):
                self.assertSlice(size, f"{first}-{last - 1}", first, last)

    def test_open_end(self):
        for size in SIZES[1:]:
            for first in {0, size // 2, size - 1}:
                self.assertSlice(size, f"{first}-", first, size)

    def test_suffix(self):
        for size in SIZES[1:]:
            for length in {1, (size + 1) // 2, size}:
                self.assertSlice(size, f"-{length}", size - length, size)

    @mended("rclone")
    def test_suffix_that_is_longer(self):
        for size in SIZES[1:]:
            self.assertSlice(size, f"-{size + 5}", 0, size)

    def test_end_behind_the_end(self):
        for size in SIZES[1:]:
            self.assertSlice(size, f"{size - 1}-{size + 1_000_000}", size - 1, size)

    @mended("rclone")
    def test_a_part_has_a_status_of_its_own(self):
        for text in "0-0", "-1":
            self.assertEqual(self.got(1, text).status, 206)

    def test_behind_the_end(self):
        for size in SIZES:
            for text in f"{size}-", f"{size}-{size + 5}", "-0":
                answer = self.got(size, text)
                self.assertEqual((answer.status, answer.code), (416, "InvalidRange"), (size, text, answer))

    @mended("rclone")
    def test_what_is_no_range_is_none(self):
        for text in "0-0,2-2", "junk", "5-2":
            answer = self.got(END, text)
            self.assertEqual((answer.status, len(answer.body)), (200, END), (text, answer))
            self.assertEqual(answer.body, bodies.body(END, "ranges"))

    @mended("rclone")
    def test_a_checksum_of_the_whole_is_not_sent_with_a_range(self):
        """boto3 would compare it with the range."""
        self.s3.put_object(Bucket=self.bucket, Key="sum", Body=b"abc", ChecksumAlgorithm="CRC32")
        self.assertEqual(self.s3.get_object(
            Bucket=self.bucket, Key="sum", Range="bytes=1-1", ChecksumMode="ENABLED")["Body"].read(), b"b")

    @lacks(rclone="answers a HEAD with a range in full")
    def test_of_a_head(self):
        answer = self.s3.head_object(Bucket=self.bucket, Key=f"{END + 1}", Range=f"bytes={END}-")
        self.assertEqual(answer["ContentLength"], 1)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
