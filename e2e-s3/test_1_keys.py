# SPDX-License-Identifier: Apache-2.0
"""Keys with every awkward character: stored, listed, read, copied and deleted as themselves."""
import hashlib

from targets import lacks, mended, played

KEYS = [
    "a b", "a+b", " lead", "trail ", "a%2Fb", "%41", "%", "%zz", "a&b=c?d#e", "a?", "a?versions", "?",
    "#", "\"'<>&amp;", "]]>", "<Key>x</Key>", "ü/ö/ß", "日本語/ファイル", "🎉.txt", "é", "e\u0301",
    "\u202ertl", "~tilde", "*", ":;@,$", "!()[]{}|^`", "back\\slash", "a=b", "a==", "tab\tin", "\x7f", "com.amz",
    ".hidden", "..hidden", "a/..b", "-", "_", "x" * 200, "ü" * 100, "deep/" * 30 + "x", "x-amz-meta-a", "cloudtaser/x",
    "a.cloudtaser/x", "\u00a0", "\ufeff", "A", "CASE/Key", "case/key", "0", "null"]
# Where keys are paths of files.
NO_FILES = ["a//b", "/lead", "//", "a/../b", "..", ".", "./a", "x" * 1024, "ü" * 512]
FOLDERS = ["trail/", "a/b/"]
CONTROLS = ["line\nfeed", "\x01", "\r", "a\r\nb"]


def content(key):
    return hashlib.sha256(key.encode()).hexdigest().encode() * 3


@played()
class Keys:
    wants_bucket = False

    def whole_life(self, keys, in_bulk=True):
        bucket = self.target.new_bucket()
        for key in keys:
            with self.subTest(key=key):
                self.s3.put_object(Bucket=bucket, Key=key, Body=content(key))
        for call in self.s3.list_objects_v2, self.s3.list_objects:
            listed = call(Bucket=bucket)
            self.assertEqual({one["Key"]: one["Size"] for one in listed["Contents"]},
                             {key: len(content(key)) for key in keys})
        for key in keys:
            with self.subTest(key=key):
                self.assertEqual(
                    self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), content(key))
                self.s3.copy_object(
                    Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
                self.assertEqual(
                    self.s3.get_object(Bucket=bucket, Key="copy")["Body"].read(), content(key))
        if not in_bulk:
            for key in keys:
                self.s3.delete_object(Bucket=bucket, Key=key)
            keys = []
        gone = self.s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in [*keys, "copy"]]})
        self.assertNotIn("Errors", gone)
        self.assertEqual({one["Key"] for one in gone["Deleted"]}, {*keys, "copy"})
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=bucket))

    def test_keys(self):
        self.whole_life(KEYS)

    @lacks(rclone="refuses keys that are no paths of files")
    def test_keys_that_are_no_paths(self):
        self.whole_life(NO_FILES)

    @lacks(rclone="has no objects whose key ends in a slash")
    def test_folders(self):
        self.whole_life(FOLDERS)

    @lacks(moto="does not find the path of a request with a line feed")
    def test_control_characters(self):
        # Documents of XML 1.0 have no place for some of them.
        self.whole_life(CONTROLS, in_bulk=False)

    @mended("moto")
    def test_too_long(self):
        bucket = self.target.new_bucket()
        self.assertRefused(lambda: self.s3.put_object(Bucket=bucket, Key="x" * 1025, Body=b""),
                           "KeyTooLongError", status=400)
