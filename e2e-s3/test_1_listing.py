# SPDX-License-Identifier: Apache-2.0
"""Lists: all keys, each once, with the sizes that clients know, whatever the pages are.

    E2E_S3_KEYS=10000   how many (2,000)
"""
import concurrent.futures
import os

import bodies
from targets import lacks, mended, played

COUNT = int(os.environ.get("E2E_S3_KEYS", "2000"))
SIZES = (0, 1, 17, 65_536, 65_537)


def named(number):
    return f"d{number % 7}/e{number % 3}/{number:05}"


@played()
class Lists:
    @classmethod
    def begin(cls):
        cls.sizes = {named(number): SIZES[number % 50] if number % 50 < len(SIZES) else number % 300
                     for number in range(COUNT)}
        cls.sizes |= {"a": 3, "z/last": 65_535}
        # Enough connections that waiting for one of them does not count.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: cls.s3.put_object(
                Bucket=cls.bucket, Key=one[0], Body=bodies.body(one[1])), cls.sizes.items()))

    def pages(self, call="list_objects_v2", **more):
        """Items of all pages, and how many each page had."""
        keys, prefixes, counts = [], [], []
        for page in self.s3.get_paginator(call).paginate(Bucket=self.bucket, **more):
            contents, common = page.get("Contents", []), page.get("CommonPrefixes", [])
            keys += [(one["Key"], one["Size"]) for one in contents]
            prefixes += [one["Prefix"] for one in common]
            counts.append(len(contents) + len(common))
        return keys, prefixes, counts

    def wanted(self, prefix=""):
        return sorted(one for one in self.sizes.items() if one[0].startswith(prefix))

    def test_everything(self):
        for call in "list_objects_v2", "list_objects":
            keys, _, counts = self.pages(call)
            self.assertEqual(keys, self.wanted(), call)
            self.assertLessEqual(max(counts), 1000)

    def test_small_pages(self):
        for call in "list_objects_v2", "list_objects":
            keys, _, counts = self.pages(
                call, Prefix="d3/e1/", PaginationConfig={"PageSize": 7})
            self.assertEqual(keys, self.wanted("d3/e1/"))
            self.assertEqual(set(counts[:-1]), {7})
            self.assertLessEqual(counts[-1], 7)

    def test_delimiter(self):
        for call in "list_objects_v2", "list_objects":
            keys, prefixes, _ = self.pages(call, Delimiter="/")
            self.assertEqual([key for key, _ in keys], ["a"])
            self.assertEqual(prefixes, [f"d{number}/" for number in range(7)] + ["z/"])
            keys, prefixes, _ = self.pages(call, Delimiter="/", Prefix="d2/")
            self.assertEqual((keys, prefixes), ([], ["d2/e0/", "d2/e1/", "d2/e2/"]))

    def test_delimiter_and_small_pages(self):
        self.common_in_pages("list_objects_v2")

    @lacks(moto="pages of the first version take prefixes for nothing")
    def test_delimiter_and_small_pages_of_the_first_version(self):
        self.common_in_pages("list_objects")

    def common_in_pages(self, call):
        keys, prefixes, counts = self.pages(call, Delimiter="/", PaginationConfig={"PageSize": 2})
        self.assertEqual([key for key, _ in keys], ["a"])
        self.assertEqual(prefixes, [f"d{number}/" for number in range(7)] + ["z/"])
        self.assertLessEqual(max(counts), 2)

    @mended("rclone")
    @lacks(rclone="knows no delimiter but a slash")
    def test_delimiter_of_another_kind(self):
        _, prefixes, _ = self.pages(Delimiter="e1/")
        self.assertEqual(prefixes, [f"d{number}/e1/" for number in range(7)])

    def test_start_after(self):
        start = named(COUNT // 2)
        keys, _, _ = self.pages(StartAfter=start)
        self.assertEqual(keys, [one for one in self.wanted() if one[0] > start])
        keys = self.s3.list_objects(Bucket=self.bucket, Marker=start, MaxKeys=5)["Contents"]
        self.assertEqual([one["Key"] for one in keys],
                         [key for key, _ in self.wanted() if key > start][:5])

    @lacks(rclone="sends an empty page with a token for nothing")
    def test_no_keys_wanted(self):
        page = self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=0)
        self.assertEqual((page.get("Contents", []), page["IsTruncated"]), ([], False))

    def test_nothing_there(self):
        self.assertEqual(self.pages(Prefix="nobody/"), ([], [], [0]))

    def test_each_says_how_many(self):
        page = self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=11)
        self.assertEqual((page["KeyCount"], page["MaxKeys"], page["IsTruncated"]), (11, 11, True))


@played()
class BulkDeletes:
    def test_a_thousand_at_once(self):
        keys = [f"bulk/{number:04}" for number in range(998)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.s3.put_object(
                Bucket=self.bucket, Key=key, Body=b"x"), keys))
        self.s3.put_object(Bucket=self.bucket, Key="kept", Body=b"x")
        # What is not there counts as deleted.
        wanted = [*keys, "never/was", "nor/was"]
        answer = self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": key} for key in wanted]})
        self.assertNotIn("Errors", answer)
        self.assertEqual({one["Key"] for one in answer["Deleted"]}, set(wanted))
        left = self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
        self.assertEqual([one["Key"] for one in left], ["kept"])

    @mended("moto")
    def test_quietly(self):
        self.s3.put_object(Bucket=self.bucket, Key="quiet", Body=b"x")
        answer = self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": [{"Key": "quiet"}], "Quiet": True})
        self.assertEqual((answer.get("Deleted"), answer.get("Errors")), (None, None))
        self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key="quiet"), status=404)

    @mended("moto")
    def test_more_than_a_thousand(self):
        objects = [{"Key": f"{number}"} for number in range(1001)]
        self.assertRefused(lambda: self.s3.delete_objects(
            Bucket=self.bucket, Delete={"Objects": objects}), "MalformedXML", status=400)
