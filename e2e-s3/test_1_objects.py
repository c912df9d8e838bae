# SPDX-License-Identifier: Apache-2.0
"""Single objects: what was put comes back, with everything that was said of it."""
import hashlib

from botocore.exceptions import ClientError

import bodies
import raw
from targets import lacks, mended, only_sealed, played

BARE_MD5 = r'^"?[0-9a-f]{32}"?$'


@played()
class Objects:
    def put_and_look(self, size):
        key, data = f"size-{size}", bodies.body(size)
        put = self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)
        head = self.s3.head_object(Bucket=self.bucket, Key=key)
        got = self.s3.get_object(Bucket=self.bucket, Key=key)
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=key)["Contents"]
        self.assertEqual(hashlib.sha256(got["Body"].read()).digest(), hashlib.sha256(data).digest())
        self.assertEqual([head["ContentLength"], got["ContentLength"], listed[0]["Size"]], [size] * 3)
        self.assertEqual([one["Key"] for one in listed if one["Key"] == key], [key])
        return put["ETag"], head["ETag"], got["ETag"], listed[0]["ETag"]

    def test_sizes(self):
        for size in bodies.SIZES:
            with self.subTest(size=size):
                self.put_and_look(size)

    @lacks(rclone="its list has ETags without quotes")
    def test_one_entity_tag_everywhere(self):
        for size in 0, 1, 65_537:
            with self.subTest(size=size):
                self.assertEqual(len(set(self.put_and_look(size))), 1)

    @only_sealed
    def test_no_entity_tag_looks_like_an_md5(self):
        for size in 0, 1, 65_537:
            for tag in self.put_and_look(size):
                self.assertNotRegex(tag, BARE_MD5)

    def test_written_over(self):
        for text in b"first", b"the second, longer", b"", b"3":
            self.s3.put_object(Bucket=self.bucket, Key="again", Body=text)
            self.assertEqual(
                self.s3.get_object(Bucket=self.bucket, Key="again")["Body"].read(), text)

    def test_deleted(self):
        self.s3.put_object(Bucket=self.bucket, Key="gone", Body=b"x")
        self.s3.delete_object(Bucket=self.bucket, Key="gone")
        self.assertRefused(lambda: self.s3.get_object(Bucket=self.bucket, Key="gone"), "NoSuchKey",
                           status=404)
        self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key="gone"), status=404)
        # That was no error, and is none again.
        self.s3.delete_object(Bucket=self.bucket, Key="gone")

    def test_no_such_bucket(self):
        self.assertRefused(lambda: self.s3.get_object(Bucket="e2e-is-not-there", Key="x"),
                           "NoSuchBucket", status=404)
        self.assertRefused(lambda: self.s3.put_object(Bucket="e2e-is-not-there", Key="x", Body=b""),
                           "NoSuchBucket", status=404)

    SAID = {"ContentType": "text/x-e2e; charset=utf-8", "CacheControl": "max-age=7, private",
            "ContentDisposition": 'attachment; filename="a b.txt"', "ContentEncoding": "zstd",
            "ContentLanguage": "de, fr"}

    def test_headers(self):
        self.s3.put_object(Bucket=self.bucket, Key="headers", Body=b"x", **self.SAID)
        for call in self.s3.head_object, self.s3.get_object:
            answer = call(Bucket=self.bucket, Key="headers")
            self.assertEqual({name: answer.get(name) for name in self.SAID}, self.SAID)

    @mended("rclone")
    def test_metadata(self):
        said = {"plain": "value", "with-dash": "a, b;c=d", "empty": "", "long": "v" * 600}
        self.s3.put_object(Bucket=self.bucket, Key="metadata", Body=b"x", Metadata=said)
        for call in self.s3.head_object, self.s3.get_object:
            self.assertEqual(call(Bucket=self.bucket, Key="metadata")["Metadata"], said)

    @mended("moto")
    def test_answers_are_what_the_query_says(self):
        self.s3.put_object(Bucket=self.bucket, Key="response", Body=b"x", ContentType="text/plain")
        answer = self.s3.get_object(Bucket=self.bucket, Key="response", ResponseContentType="a/b",
                                    ResponseContentDisposition="inline")
        self.assertEqual((answer["ContentType"], answer.get("ContentDisposition")), ("a/b", "inline"))

    @lacks(rclone="takes ?tagging for the object and writes over it")
    def test_tags(self):
        self.s3.put_object(Bucket=self.bucket, Key="tags", Body=b"x", Tagging="a=1&b=%20c")
        wanted = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": " c"}]
        tags = self.s3.get_object_tagging(Bucket=self.bucket, Key="tags")["TagSet"]
        self.assertEqual(sorted(tags, key=lambda one: one["Key"]), wanted)
        self.s3.put_object_tagging(Bucket=self.bucket, Key="tags", Tagging={"TagSet": wanted[:1]})
        self.assertEqual(
            self.s3.get_object_tagging(Bucket=self.bucket, Key="tags")["TagSet"], wanted[:1])
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="tags")
        self.assertEqual(self.s3.get_object_tagging(Bucket=self.bucket, Key="tags")["TagSet"], [])
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="tags")["Body"].read(), b"x")

    @mended("rclone")
    def test_an_attempt_to_tag_never_harms_the_object(self):
        self.s3.put_object(Bucket=self.bucket, Key="not-tagged", Body=b"whole")
        try:
            self.s3.put_object_tagging(Bucket=self.bucket, Key="not-tagged", Tagging={"TagSet": []})
        except ClientError:
            pass
        self.assertEqual(
            self.s3.get_object(Bucket=self.bucket, Key="not-tagged")["Body"].read(), b"whole")

    @lacks(rclone="takes ?attributes for the object")
    def test_attributes(self):
        tag = self.s3.put_object(Bucket=self.bucket, Key="attributes", Body=bytes(70_000))["ETag"]
        answer = self.s3.get_object_attributes(
            Bucket=self.bucket, Key="attributes", ObjectAttributes=["ETag", "ObjectSize"])
        self.assertEqual((answer["ObjectSize"], answer["ETag"]), (70_000, tag.strip('"')))

    @lacks(rclone="has no versions")
    def test_versions(self):
        bucket = self.target.new_bucket()
        self.s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        ids = [self.s3.put_object(Bucket=bucket, Key="v", Body=bytes(size))["VersionId"]
               for size in (1, 65_537, 0)]
        sizes = {one["VersionId"]: one["Size"]
                 for one in self.s3.list_object_versions(Bucket=bucket, Prefix="v")["Versions"]}
        self.assertEqual([sizes[one] for one in ids], [1, 65_537, 0])
        old = self.s3.get_object(Bucket=bucket, Key="v", VersionId=ids[1])
        self.assertEqual(old["Body"].read(), bytes(65_537))
        self.s3.delete_object(Bucket=bucket, Key="v")
        self.assertRefused(lambda: self.s3.get_object(Bucket=bucket, Key="v"), "NoSuchKey")
        self.assertEqual(
            self.s3.get_object(Bucket=bucket, Key="v", VersionId=ids[0])["Body"].read(), b"\0")


@played()
class Copies:
    @classmethod
    def begin(cls):
        cls.data = bodies.body(150_001, "copied")
        cls.s3.put_object(Bucket=cls.bucket, Key="source", Body=cls.data, Metadata={"a": "1"},
                          ContentType="text/x-source", CacheControl="no-store")

    def found(self, key, bucket=None):
        answer = self.s3.get_object(Bucket=bucket or self.bucket, Key=key)
        self.assertEqual(answer["Body"].read(), self.data)
        self.assertEqual(answer["ContentLength"], len(self.data))
        return answer["Metadata"], answer["ContentType"], answer.get("CacheControl")

    def copy(self, key, bucket=None, **more):
        return self.s3.copy_object(
            Bucket=bucket or self.bucket, Key=key, CopySource=f"{self.bucket}/source", **more)

    @mended("rclone")
    def test_to_another_key(self):
        self.copy("other key/ü")
        self.assertEqual(self.found("other key/ü"), ({"a": "1"}, "text/x-source", "no-store"))

    @mended("rclone")
    def test_to_another_bucket(self):
        bucket = self.target.new_bucket()
        self.copy("source", bucket)
        self.assertEqual(self.found("source", bucket), ({"a": "1"}, "text/x-source", "no-store"))

    @mended("rclone")
    def test_replaced_metadata(self):
        self.copy("replaced", MetadataDirective="REPLACE", Metadata={"b": "2"}, ContentType="text/x-new")
        self.assertEqual(self.found("replaced"), ({"b": "2"}, "text/x-new", None))

    @mended("rclone")
    def test_onto_itself(self):
        self.s3.put_object(Bucket=self.bucket, Key="self", Body=self.data, Metadata={"a": "1"})
        self.s3.copy_object(Bucket=self.bucket, Key="self", CopySource=f"{self.bucket}/self",
                            MetadataDirective="REPLACE", Metadata={"b": "3"}, ContentType="text/x-self")
        self.assertEqual(self.found("self"), ({"b": "3"}, "text/x-self", None))

    def test_a_copy_outlives_its_source(self):
        self.s3.put_object(Bucket=self.bucket, Key="short-lived", Body=self.data)
        self.s3.copy_object(
            Bucket=self.bucket, Key="heir", CopySource=f"{self.bucket}/short-lived")
        self.s3.put_object(Bucket=self.bucket, Key="short-lived", Body=b"another")
        self.s3.delete_object(Bucket=self.bucket, Key="short-lived")
        self.found("heir")

    def test_of_nothing(self):
        self.assertRefused(lambda: self.s3.copy_object(
            Bucket=self.bucket, Key="x", CopySource=f"{self.bucket}/is-not-there"), "NoSuchKey", status=404)


@played()
class Large:
    def test_100_mib_and_a_byte(self):
        size = 100 * bodies.MIB + 1
        data = bodies.body(size, "large")
        self.s3.put_object(Bucket=self.bucket, Key="large", Body=data)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="large")["ContentLength"], size)
        digest = hashlib.sha256()
        for piece in self.s3.get_object(Bucket=self.bucket, Key="large")["Body"].iter_chunks(1 << 20):
            digest.update(piece)
        self.assertEqual(digest.digest(), hashlib.sha256(data).digest())
        for start, end in ((0, 0), (size - 1, size - 1), (52_428_799, 52_428_801)):
            got = raw.fetched(
                self.s3, self.bucket, "large", self.target, {"range": f"bytes={start}-{end}"})
            self.assertEqual(got.body, data[start : end + 1])
        self.s3.delete_object(Bucket=self.bucket, Key="large")
