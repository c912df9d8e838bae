# SPDX-License-Identifier: Apache-2.0
"""`inspect` and `rewrap`: what they show of objects, and that the vault may give up old versions of its key after a
rewrap and not without one."""
import concurrent.futures
import json
import re
import time

import bodies
import chain
import ct1
import proxy
import relay
import stage
import upstreams
from servers import eventually, free_port
from targets import IS_CONTROL, IS_NAMED, left_out, played

MIB5 = 5 * bodies.MIB
USAGE, FAILED = 64, 1


def commands(cls):
    """There is no command without a proxy: nothing of it can be played at a bare upstream."""
    if IS_CONTROL or IS_NAMED:
        left_out[f"{cls.__module__}.{cls.__name__}"] = "a command of the proxy, which is not there"
        return None
    return played(where=[("rclone", "http"), ("moto", "http")], needs_upstream=True)(cls)


class Commands:
    """Of a class of tests: runs commands with the settings of a proxy, and looks at what they say."""

    def ran(self, *words, server=None, code=0):
        """Fails unless it ends with this code, and when it says what nobody may see."""
        run = (server or self.target.server).ran(*words)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        for name, secret in self.secrets().items():
            for form, text in bodies.forms(secret).items():
                self.assertNotIn(text, (run.stdout + run.stderr).encode(), f"{name}, {form}")
        return run

    def secrets(self):
        own = getattr(self, "own", self.stage)
        kept = {"a client's secret": stage.CLIENT_SECRET, "the store's secret": upstreams.SECRET,
                "the vault's root token": own.vault.token, "content": bodies.CANARY}
        return kept | {f"secret id {number}": text for number, text in enumerate(own.secret_ids)}

    def assertSaid(self, run, *words):
        for word in words:
            self.assertIn(word, run.stdout + run.stderr)

    def inspected(self, place, server=None, code=0):
        """Lines of what it shows, by their names."""
        run = self.ran("inspect", place, server=server, code=code)
        return dict(re.split(r"  +", line, maxsplit=1) for line in run.stdout.splitlines())


@commands
class Inspect(Commands):
    @classmethod
    def begin(cls):
        cls.store = cls.target.upstream.client()
        cls.s3.put_object(Bucket=cls.bucket, Key="one", Body=bodies.body(100_000, "one"),
                          Metadata={"Colour": "canary-of-metadata"})
        cls.sizes = (MIB5, 2 * MIB5 // 10 * 10 // bodies.CHUNK * bodies.CHUNK)
        upload = cls.s3.create_multipart_upload(Bucket=cls.bucket, Key="parts")["UploadId"]
        done = [{"PartNumber": number, "ETag": cls.s3.upload_part(
            Bucket=cls.bucket, Key="parts", UploadId=upload, PartNumber=number,
            Body=bodies.body(size, f"part {number}"))["ETag"]} for number, size in enumerate(cls.sizes, 1)]
        cls.s3.complete_multipart_upload(
            Bucket=cls.bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": done})
        cls.store.put_object(Bucket=cls.bucket, Key="plain", Body=b"x" * 1234)

    def stored_size(self, key):
        return str(self.store.head_object(Bucket=self.bucket, Key=key)["ContentLength"])

    def test_sealed_in_one_piece(self):
        found = self.inspected(f"{self.bucket}/one")
        self.assertEqual(found["stored bytes"], self.stored_size("one"))
        self.assertEqual(found["content bytes"], "100000")
        self.assertTrue(found["sealed"].startswith("yes"), found)
        self.assertRegex(found["data key"], r"^wrapped by e1\.[A-Za-z0-9_-]{43} of the bucket's table$")
        self.assertEqual((found["content"], found["sealed headers"]), ("one segment", "yes"))
        self.assertNotIn("canary-of-metadata", str(found).lower())
        # The key that it names is there.
        reference = found["data key"].split()[2]
        self.store.head_object(Bucket=self.bucket, Key=proxy.epoch_key_name(reference))

    def test_sealed_in_parts(self):
        found = self.inspected(f"{self.bucket}/parts")
        self.assertEqual(found["stored bytes"], self.stored_size("parts"))
        self.assertTrue(found["content"].startswith("in parts"), found)
        if self.kind == "rclone":
            # Its tag does not tell how many there are, so neither does arithmetic tell their size.
            self.assertEqual(found["stored parts"], "not told")
        else:
            self.assertEqual(found["stored parts"], "3")  # And the footer.
            self.assertTrue(found["content bytes"].startswith(f"{sum(self.sizes)},"), found)

    def test_wrapped_by_the_vault_itself(self):
        other = self.stage.new_target(self.kind, mode="object")
        other.client().put_object(Bucket=self.bucket, Key="by-the-vault", Body=b"x")
        found = self.inspected(f"{self.bucket}/by-the-vault", server=other.server)
        self.assertRegex(found["data key"], rf"^wrapped by the vault's key {proxy.TRANSIT_KEY}, v\d+$")

    def test_not_sealed(self):
        found = self.inspected(f"{self.bucket}/plain", code=FAILED)
        self.assertEqual(found["stored bytes"], "1234")
        self.assertRegex(found["sealed"], "^no: .*ct1")
        self.assertNotIn("data key", found)

    def test_as_json(self):
        found = json.loads(self.ran("inspect", f"{self.bucket}/one", "-o", "json").stdout)
        reference = found.pop("keyReference")
        self.store.head_object(Bucket=self.bucket, Key=proxy.epoch_key_name(reference))
        self.assertEqual(found, {
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "S3Inspection", "bucket": self.bucket, "key": "one",
            "storedBytes": int(self.stored_size("one")), "contentBytes": 100_000, "isSealed": True,
            "wrappedBy": "table", "isInParts": False, "hasSealedHeaders": True})
        plain = json.loads(self.ran("inspect", f"{self.bucket}/plain", "--output=json", code=FAILED).stdout)
        self.assertEqual((plain["isSealed"], plain["storedBytes"]), (False, 1234))
        self.assertIn("ct1", plain["problem"])
        run = self.ran("inspect", f"{self.bucket}/one", "-o", "yaml", code=USAGE)
        self.assertEqual(run.stdout, "")
        self.assertIn("neither text nor json", run.stderr)

    def test_missing(self):
        for place in f"{self.bucket}/nothing", "e2e-no-such-bucket/nothing":
            run = self.ran("inspect", place, code=FAILED)
            self.assertEqual(run.stdout, "")
            self.assertIn(f"{place}: the store has no such object; look at the names", run.stderr)

    def test_wrong_words(self):
        for words, said in [
                (["inspect"], "BUCKET/KEY"), (["inspect", "bucket"], "BUCKET/KEY"),
                (["inspect", "Bucket!/key"], "BUCKET/KEY"), (["inspect", "bucket/"], "BUCKET/KEY"),
                (["inspect", "bucket/key", "--misspelt", "x"], "--misspelt"),
                (["inspect", "bucket/key", "more"], "more")]:
            with self.subTest(words):
                run = self.ran(*words, code=USAGE)
                self.assertEqual(run.stdout, "")
                self.assertIn(said, run.stderr)
        run = self.ran("inspect", "--help")
        self.assertSaid(run, "BUCKET/KEY", "Exit codes: 0 ", "64 wrong usage")

    def test_the_store_is_away(self):
        gone = self.stage.new_proxy(self.kind, endpoint=f"http://127.0.0.1:{free_port()}")
        run = self.ran("inspect", f"{self.bucket}/one", server=gone, code=FAILED)
        self.assertEqual(run.stdout, "")
        self.assertSaid(run, "the store cannot be asked", "--upstream-endpoint")


class Own(Commands):
    """A vault whose key may be rotated."""

    wants_bucket = False
    mode = "epoch"

    @classmethod
    def begin(cls):
        cls.own = stage.Stage((cls.kind,))
        cls.addClassCleanup(cls.own.close)
        cls.target = cls.own.new_target(cls.kind, mode=cls.mode)
        cls.upstream = cls.own.upstreams[cls.kind]
        cls.store = cls.upstream.client()
        cls.s3 = cls.target.client()
        cls.version = 1

    def rotate(self):
        self.own.vault.call("POST", f"transit/keys/{proxy.TRANSIT_KEY}/rotate", {})
        type(self).version += 1

    def give_up(self, least):
        """The vault decrypts with this version and later ones."""
        self.own.vault.call("POST", f"transit/keys/{proxy.TRANSIT_KEY}/config", {"min_decryption_version": least})
        self.addCleanup(self.own.vault.call, "POST", f"transit/keys/{proxy.TRANSIT_KEY}/config", {
            "min_decryption_version": 1})

    def started_anew(self):
        """No key is remembered."""
        self.target.server.kill()
        self.target.server.start()

    def assertReads(self, bucket, contents):
        for key, data in contents.items():
            self.assertEqual(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), data, key)

    def counts(self, run):
        """seen, wrapped anew, as they were, failed: of the report."""
        line = re.search(r"(?m)^(\d+) seen, (\d+) wrapped anew, (\d+) as they were, (\d+) failed$", run.stdout)
        return tuple(int(number) for number in line.groups())

    def wrapped_by(self, bucket, key):
        """The version of the vault's key, from what the store has."""
        metadata = chain.lowered(self.store.head_object(Bucket=bucket, Key=key)["Metadata"])
        _, fields, _ = ct1.read_envelope(metadata["ct1"])
        ciphertext = fields.get(6) or self.store.get_object(
            Bucket=bucket, Key=proxy.epoch_key_name(fields[1].decode()))["Body"].read()
        return int(re.match(rb"vault:v(\d+):", ciphertext).group(1))


@commands
class RewrapEpoch(Own):
    def filled(self):
        bucket = self.target.new_bucket()
        contents = {"small": b"small", "large": bodies.body(200_000, "large")}
        for key, data in contents.items():
            self.s3.put_object(Bucket=bucket, Key=key, Body=data)
        return bucket, contents

    def test_a_version_is_given_up_after_a_rewrap_and_not_before(self):
        bucket, contents = self.filled()
        control, _ = self.filled()
        before = {key: self.store.head_object(Bucket=bucket, Key=key)["LastModified"] for key in contents}
        self.assertEqual(self.counts(self.ran("rewrap", "--bucket", bucket)), (1, 0, 1, 0))
        self.rotate()
        run = self.ran("rewrap", f"--bucket={bucket}")
        self.assertEqual(self.counts(run), (1, 1, 0, 0))
        self.assertRegex(run.stderr, r"(?m)^1 seen, 1 wrapped anew, 0 failed, up to '\.cloudtaser/ct1/keys/e1\.\S+'$")
        self.assertEqual([self.wrapped_by(bucket, key) for key in contents], [self.version] * 2)
        # Again, there is nothing left to do.
        self.assertEqual(self.counts(self.ran("rewrap", "--bucket", bucket)), (1, 0, 1, 0))
        self.give_up(self.version)
        self.started_anew()
        self.assertReads(bucket, contents)
        after = {key: self.store.head_object(Bucket=bucket, Key=key)["LastModified"] for key in contents}
        self.assertEqual(before, after, "objects are not touched")
        # The control: what was not wrapped anew does not open, and does when the vault takes it back.
        for key in contents:
            answer = self.assertRefused(lambda key=key: self.s3.get_object(Bucket=control, Key=key),
                                        "InvalidObjectState", status=403)
            self.assertIn("min_decryption_version", answer["Error"]["Message"])
        run = self.ran("rewrap", "--bucket", control, code=FAILED)
        self.assertEqual(self.counts(run), (1, 0, 0, 1))
        self.assertRegex(run.stdout, r"failed  \.cloudtaser/ct1/keys/e1\.\S+  InvalidObjectState: ")
        self.own.vault.call("POST", f"transit/keys/{proxy.TRANSIT_KEY}/config", {"min_decryption_version": 1})
        self.started_anew()
        self.assertReads(control, contents)

    def test_while_there_is_traffic(self):
        """Keys that are in use go on, and new ones come."""
        bucket, contents = self.filled()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.rotate()
            written = [pool.submit(self.s3.put_object, Bucket=bucket, Key=f"meanwhile-{number}", Body=b"x")
                       for number in range(40)]
            run = self.ran("rewrap", "--bucket", bucket)
            for one in written:
                one.result()
        self.assertEqual(self.counts(run)[3], 0)
        self.give_up(self.version)
        self.started_anew()
        self.assertReads(bucket, contents | {f"meanwhile-{number}": b"x" for number in range(40)})

    def test_a_proxy_that_runs_goes_on_when_a_version_is_given_up(self):
        """It has a key of the old version in use, and asks the vault from time to time whether that still holds."""
        running = self.own.new_target(self.kind, settings={"key-confirm-seconds": "1"})
        client = running.client()
        bucket = running.new_bucket()
        client.put_object(Bucket=bucket, Key="before", Body=b"before")
        self.rotate()
        self.assertEqual(self.counts(self.ran("rewrap", "--bucket", bucket)), (1, 1, 0, 0))
        self.give_up(self.version)
        time.sleep(1.2)
        client.put_object(Bucket=bucket, Key="after", Body=b"after")
        self.started_anew()
        self.assertReads(bucket, {"before": b"before", "after": b"after"})
        self.assertEqual(self.wrapped_by(bucket, "after"), self.version)

    def test_wrong_words(self):
        for words, said in [
                (["rewrap"], "--bucket"), (["rewrap", "--bucket"], "--bucket"),
                (["rewrap", "--bucket", "Bucket!"], "--bucket"),
                (["rewrap", "--bucket", "bucket", "--prefix", "a"], "--objects"),
                (["rewrap", "--bucket", "bucket", "--after", "a"], "--objects"),
                (["rewrap", "--bucket", "bucket", "--misspelt"], "--misspelt")]:
            with self.subTest(words):
                run = self.ran(*words, code=USAGE)
                self.assertEqual(run.stdout, "")
                self.assertIn(said, run.stderr)

    def test_an_unknown_bucket(self):
        for more in [], ["--objects"]:
            run = self.ran("rewrap", "--bucket", "e2e-no-such-bucket", *more, code=FAILED)
            self.assertEqual(self.counts(run), (0, 0, 0, 0))
            self.assertSaid(run, "ended before the end: ", "bucket")

    def test_the_vault_is_sealed(self):
        bucket, _ = self.filled()
        self.own.vault.seal()
        try:
            for words in ["rewrap", "--bucket", bucket], ["inspect", f"{bucket}/small"]:
                run = self.ran(*words, code=FAILED)
                self.assertEqual(run.stdout, "")
                self.assertRegex(run.stderr, r"the vault gave no .*; each line before says why\n$")
                self.assertIn("sealed", run.stderr)
        finally:
            self.own.vault.unseal()
        self.assertEqual(self.counts(self.ran("rewrap", "--bucket", bucket)), (1, 0, 1, 0))

    def test_the_store_is_away(self):
        gone = self.own.new_proxy(self.kind, endpoint=f"http://127.0.0.1:{free_port()}")
        run = self.ran("rewrap", "--bucket", "e2e-bucket", server=gone, code=FAILED)
        self.assertSaid(run, "ended before the end: ", "store")

    def test_no_token_is_left_at_the_vault(self):
        bucket, _ = self.filled()
        def tokens():
            return len(self.own.vault.call("LIST", "auth/token/accessors")["data"]["keys"])
        before = tokens()
        self.ran("rewrap", "--bucket", bucket)
        self.ran("inspect", f"{bucket}/small")
        self.assertEqual(tokens(), before)


@commands
class RewrapObjects(Own):
    mode = "object"

    def filled(self, count=0):
        bucket = self.target.new_bucket()
        contents = {f"key-{number:04}": f"content {number}".encode() for number in range(count)}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda one: self.s3.put_object(
                Bucket=bucket, Key=one[0], Body=one[1], ContentType="text/plain", Metadata={"number": "n"}),
                contents.items()))
        return bucket, contents

    def through(self):
        """A proxy whose way to the store can be watched and cut."""
        between = relay.Relay(self.upstream.endpoint)
        self.addCleanup(between.close)
        return between, self.own.new_proxy(self.kind, endpoint=between.endpoint, mode="object")

    @staticmethod
    def copies(between):
        """So many have begun."""
        return sum(bytes(sent).lower().count(b"\r\nx-amz-copy-source:") for sent in between.sent)

    def versions(self, bucket, contents):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            return dict(zip(contents, pool.map(lambda key: self.wrapped_by(bucket, key), contents)))

    def test_a_version_is_given_up_after_a_rewrap_and_not_before(self):
        bucket, contents = self.filled(3)
        control, _ = self.filled(3)
        upload = self.s3.create_multipart_upload(Bucket=bucket, Key="parts", Metadata={"in": "parts"})["UploadId"]
        pieces = [bodies.body(MIB5, "first"), bodies.body(70_000, "second")]
        done = [{"PartNumber": number, "ETag": self.s3.upload_part(
            Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=piece)["ETag"]}
            for number, piece in enumerate(pieces, 1)]
        self.s3.complete_multipart_upload(
            Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": done})
        contents["parts"] = b"".join(pieces)
        self.rotate()
        # A part of them, and then all of the rest.
        run = self.ran("rewrap", "--bucket", bucket, "--objects", "--prefix", "key-0001")
        self.assertEqual(self.counts(run), (1, 1, 0, 0))
        self.assertEqual([self.wrapped_by(bucket, key) == self.version for key in contents],
                         [False, True, False, False])
        run = self.ran("rewrap", "--bucket", bucket, "--objects")
        self.assertEqual(self.counts(run), (4, 4, 0, 0))
        self.assertIn("4 seen, 4 wrapped anew, 0 failed, up to 'parts'\n", run.stderr)
        self.assertEqual(set(self.versions(bucket, contents).values()), {self.version})
        self.give_up(self.version)
        self.started_anew()
        self.assertReads(bucket, contents)
        head = self.s3.head_object(Bucket=bucket, Key="key-0002")
        self.assertEqual((head["Metadata"], head["ContentType"]), ({"number": "n"}, "text/plain"))
        self.assertEqual(self.s3.head_object(Bucket=bucket, Key="parts")["Metadata"], {"in": "parts"})
        # The control.
        self.assertRefused(lambda: self.s3.get_object(Bucket=control, Key="key-0000"),
                           "InvalidObjectState", status=403)
        run = self.ran("rewrap", "--bucket", control, "--objects", code=FAILED)
        self.assertEqual(self.counts(run), (3, 0, 0, 3))
        self.assertRegex(run.stdout, r"(?m)^failed  key-0000  InvalidObjectState: ")

    def test_killed_half_way_and_run_again(self):
        bucket, contents = self.filled(120)
        self.rotate()
        between, server = self.through()
        with server.begun("rewrap", "--bucket", bucket, "--objects") as process:
            eventually("half of them are done", lambda: self.copies(between) >= 60 or process.poll() is not None)
            process.kill()
        self.assertEqual(process.returncode, -9, "it was not to end by itself")
        versions = self.versions(bucket, contents)
        done = [key for key in contents if versions[key] == self.version]
        self.assertGreaterEqual(len(done), 40)
        self.assertLess(len(done), 110)
        # In order, so that --after can skip them.
        self.assertEqual(done, list(contents)[:len(done)])
        self.started_anew()
        self.assertReads(bucket, contents)
        run = self.ran("rewrap", "--bucket", bucket, "--objects", "--after", done[-1])
        self.assertEqual(self.counts(run), (120 - len(done), 120 - len(done), 0, 0))
        self.assertEqual(set(self.versions(bucket, contents).values()), {self.version})
        self.give_up(self.version)
        self.started_anew()
        self.assertReads(bucket, contents)

    def ended_half_way(self, leave, come_back):
        """Whoever was away comes back, and the run goes on where it says that it ended."""
        bucket, contents = self.filled(60)
        self.rotate()
        between, server = self.through()
        with server.begun("rewrap", "--bucket", bucket, "--objects") as process:
            eventually("half of them are done", lambda: self.copies(between) >= 20 or process.poll() is not None)
            leave(between)
            out, said = process.communicate(timeout=60)
        come_back(between)
        self.assertEqual(process.returncode, FAILED, out + said)
        self.assertIn("ended before the end: ", out)
        after = re.search(r"(?m)^go on with --after '(key-\d+)'$", out).group(1)
        run = self.ran("rewrap", "--bucket", bucket, "--objects", "--after", after, server=server)
        self.assertEqual(self.counts(run)[3], 0)
        self.assertEqual(self.counts(run)[0], 60 - 1 - int(after[-4:]))
        self.assertEqual(set(self.versions(bucket, contents).values()), {self.version})
        self.assertReads(bucket, contents)

    def test_the_vault_is_sealed_half_way(self):
        self.ended_half_way(lambda _: self.own.vault.seal(), lambda _: self.own.vault.unseal())

    def test_the_store_is_away_half_way(self):
        def cut(after):
            def do(between):
                between.cut_after = after
            return do
        self.ended_half_way(cut(0), cut(None))

    def test_what_is_not_sealed_is_named(self):
        bucket, _ = self.filled(2)
        self.store.put_object(Bucket=bucket, Key="key-0000-plain", Body=b"plain")
        run = self.ran("rewrap", "--bucket", bucket, "--objects", code=FAILED)
        self.assertEqual(self.counts(run), (3, 2, 0, 1))
        self.assertRegex(run.stdout, r"(?m)^failed  key-0000-plain  InvalidObjectState: ")
        self.assertEqual(self.store.get_object(Bucket=bucket, Key="key-0000-plain")["Body"].read(), b"plain")

    def test_as_json(self):
        bucket, _ = self.filled(2)
        self.store.put_object(Bucket=bucket, Key="key-0000-it's", Body=b"plain")
        words = "rewrap", "--bucket", bucket, "--objects", "-o", "json"
        found = json.loads(self.ran(*words, code=FAILED).stdout)
        failure, = found.pop("failures")
        self.assertEqual(failure["key"], "key-0000-it's")
        self.assertTrue(failure["reason"].startswith("InvalidObjectState: "), failure)
        last = found.pop("last")
        self.assertEqual(found, {
            "apiVersion": "cloudtaser.io/v1alpha1", "kind": "S3Rewrap", "bucket": bucket, "seen": 3,
            "rewrapped": 2, "unchanged": 0, "failed": 1, "isComplete": True})
        again = json.loads(self.ran(*words, "--after", last).stdout)
        self.assertEqual((again["seen"], again["failures"]), (0, []))

    def test_what_is_passed_through_is_left_alone(self):
        try:
            self.s3.create_bucket(Bucket=proxy.OPEN_BUCKET)
        except self.s3.exceptions.BucketAlreadyOwnedByYou:
            pass
        self.s3.put_object(Bucket=proxy.OPEN_BUCKET, Key=f"{proxy.PASSED_THROUGH}sealed", Body=b"sealed")
        self.store.put_object(Bucket=proxy.OPEN_BUCKET, Key=f"{proxy.PASSED_THROUGH}plain", Body=b"plain")
        run = self.ran("rewrap", "--bucket", proxy.OPEN_BUCKET, "--objects")
        self.assertEqual(self.counts(run), (1, 1, 0, 0))

    def test_without_a_table_the_objects_have_to_be_asked_for(self):
        run = self.ran("rewrap", "--bucket", "e2e-bucket", code=FAILED)
        self.assertSaid(run, "--objects")
