# SPDX-License-Identifier: Apache-2.0
"""Conditions of requests, with the entity tags that the client was told."""
import datetime

from targets import lacks, played

PUT = "does not look at conditions of a PUT"
MATCH = "does not look at If-Match"


@played()
class Conditions:
    @classmethod
    def begin(cls):
        cls.tag = cls.put("there", b"one")["ETag"]

    @classmethod
    def put(cls, key, text, **conditions):
        return cls.s3.put_object(Bucket=cls.bucket, Key=key, Body=text, **conditions)

    def reads(self, **conditions):
        return [lambda call=call: call(Bucket=self.bucket, Key="there", **conditions)
                for call in (self.s3.get_object, self.s3.head_object)]

    def test_a_read_if_it_matches(self):
        for read in self.reads(IfMatch=self.tag):
            self.assertEqual(read()["ContentLength"], 3)

    @lacks(rclone=MATCH)
    def test_a_read_if_another_matches(self):
        for read in self.reads(IfMatch='"another-1"'):
            self.assertRefused(read, status=412)

    def test_a_read_if_none_matches(self):
        for read in self.reads(IfNoneMatch='"another-1"'):
            self.assertEqual(read()["ContentLength"], 3)
        self.assertRefused(self.reads(IfNoneMatch=self.tag)[1], status=304)

    @lacks(rclone="sends nothing but an error of its own with 304")
    def test_a_get_if_none_matches(self):
        self.assertRefused(self.reads(IfNoneMatch=self.tag)[0], status=304)

    @lacks(rclone="does not look at times")
    def test_times(self):
        past, future = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
                        for days in (-2, 0))
        for read in self.reads(IfUnmodifiedSince=past):
            self.assertRefused(read, status=412)
        for read in self.reads(IfModifiedSince=past) + self.reads(
                IfUnmodifiedSince=future + datetime.timedelta(seconds=5)):
            self.assertEqual(read()["ContentLength"], 3)

    @lacks(rclone=PUT)
    def test_a_put_of_what_is_not_there(self):
        self.put("new", b"1", IfNoneMatch="*")
        self.assertRefused(lambda: self.put("new", b"2", IfNoneMatch="*"), "PreconditionFailed", status=412)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="new")["Body"].read(), b"1")

    @lacks(rclone=PUT)
    def test_a_put_over_what_was_read(self):
        tag = self.put("cas", b"1")["ETag"]
        # The same content has another tag each time that it is sealed.
        for known in (
                lambda: self.s3.head_object(Bucket=self.bucket, Key="cas")["ETag"],
                lambda: self.s3.list_objects_v2(Bucket=self.bucket, Prefix="cas")["Contents"][0]["ETag"],
                lambda: self.s3.get_object(Bucket=self.bucket, Key="cas")["ETag"]):
            self.put("cas", b"2", IfMatch=known())
        self.put("cas", b"3")
        self.assertRefused(lambda: self.put("cas", b"4", IfMatch=tag), "PreconditionFailed", status=412)
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="cas")["Body"].read(), b"3")

    @lacks(rclone="does not look at conditions of a copy", moto="does not look at conditions of a copy")
    def test_a_copy(self):
        def copy(**conditions):
            return self.s3.copy_object(
                Bucket=self.bucket, Key="copied", CopySource=f"{self.bucket}/there", **conditions)
        copy(CopySourceIfMatch=self.tag)
        self.assertRefused(lambda: copy(CopySourceIfMatch='"another-1"'), "PreconditionFailed", status=412)
        self.assertRefused(lambda: copy(CopySourceIfNoneMatch=self.tag), "PreconditionFailed", status=412)
