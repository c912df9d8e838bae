# SPDX-License-Identifier: Apache-2.0
"""What happens when the vault or the store is away: nothing is acknowledged that is not there, and
nothing is there that was not acknowledged."""
import signal

from botocore.exceptions import ClientError

import bodies
import raw
import relay
import stage
from servers import eventually
from targets import IS_CONTROL, only_sealed, played

UNAVAILABLE = ("ServiceUnavailable", "SlowDown", "InternalError")


class Own:
    """A vault and a store that may be stopped."""

    @classmethod
    def begin(cls):
        cls.own = stage.Stage((cls.kind,))
        cls.addClassCleanup(cls.own.close)
        cls.upstream = cls.own.upstreams[cls.kind]
        cls.target = cls.own.new_target(cls.kind)
        cls.s3 = cls.target.client()
        cls.bucket = cls.target.new_bucket()
        cls.data = bodies.body(300_000, "before")
        cls.s3.put_object(Bucket=cls.bucket, Key="before", Body=cls.data)

    def assertThere(self, key, data=None, bucket=None):
        got = self.s3.get_object(Bucket=bucket or self.bucket, Key=key)["Body"].read()
        self.assertEqual(got, self.data if data is None else data)

    def assertNothing(self, bucket, key):
        self.assertRefused(lambda: self.s3.head_object(Bucket=bucket, Key=key), status=404)
        names = [one["Key"] for one in self.upstream.client().list_objects_v2(
            Bucket=bucket).get("Contents", [])]
        self.assertNotIn(key, names)

    def assertUnavailable(self, call):
        answer = self.assertRefused(call, *UNAVAILABLE, status=503)
        self.assertTrue(answer["Error"]["Message"])


@played(where=[("rclone", "http"), ("moto", "http")], needs_upstream=True)
class VaultAway(Own):
    def away(self, leave, come_back):
        """Of a bucket that has no key in this proxy."""
        bucket = self.target.new_bucket()
        self.assertThere("before")
        leave()
        try:
            self.assertUnavailable(lambda: self.s3.put_object(Bucket=bucket, Key="while-away", Body=b"x"))
            self.assertUnavailable(lambda: self.s3.create_multipart_upload(Bucket=bucket, Key="while-away"))
            # The keys of what it has read are still there.
            self.assertThere("before")
            self.assertEqual(self.s3.head_object(
                Bucket=self.bucket, Key="before")["ContentLength"], len(self.data))
            try:
                self.s3.put_object(Bucket=self.bucket, Key="under-a-known-key", Body=b"y")
                was_taken = True
            except ClientError as refusal:
                self.assertEqual(refusal.response["ResponseMetadata"]["HTTPStatusCode"], 503)
                was_taken = False
        finally:
            come_back()
        self.assertNothing(bucket, "while-away")
        eventually("it takes objects again", lambda: self.taken(bucket))
        self.assertThere("again", b"z", bucket)
        # Acknowledged is readable, by a replica that never knew the key too.
        if was_taken:
            self.assertThere("under-a-known-key", b"y")
            got = self.own.new_target(self.kind).client().get_object(
                Bucket=self.bucket, Key="under-a-known-key")
            self.assertEqual(got["Body"].read(), b"y")
        else:
            self.assertNothing(self.bucket, "under-a-known-key")

    def taken(self, bucket):
        try:
            return self.s3.put_object(Bucket=bucket, Key="again", Body=b"z")
        except ClientError:
            return None

    @only_sealed
    def test_sealed(self):
        self.away(self.own.vault.seal, self.own.vault.unseal)

    @only_sealed
    def test_halted(self):
        process = self.own.vault.process
        self.away(lambda: process.send_signal(signal.SIGSTOP), lambda: process.send_signal(signal.SIGCONT))

    @only_sealed
    def test_an_object_whose_key_it_does_not_have(self):
        other = self.own.new_target(self.kind).client()
        bucket = self.target.new_bucket()
        other.put_object(Bucket=bucket, Key="others", Body=self.data)
        self.own.vault.seal()
        try:
            self.assertUnavailable(lambda: self.s3.get_object(Bucket=bucket, Key="others"))
        finally:
            self.own.vault.unseal()
        eventually("it is read again", lambda: raw.fetched(
            self.s3, bucket, "others", self.target).status == 200)
        self.assertThere("others", bucket=bucket)


@played(where=[("rclone", "http")], needs_upstream=True)
class StoreAway(Own):
    @only_sealed
    def test_stopped(self):
        self.upstream.kill()
        try:
            self.assertUnavailable(
                lambda: self.s3.put_object(Bucket=self.bucket, Key="while-away", Body=b"x"))
            self.assertUnavailable(lambda: self.s3.get_object(Bucket=self.bucket, Key="before"))
            self.assertUnavailable(lambda: self.s3.list_objects_v2(Bucket=self.bucket))
        finally:
            self.upstream.start()
        self.assertNothing(self.bucket, "while-away")
        # rclone has forgotten the metadata of what it had: only new ones can be read.
        self.s3.put_object(Bucket=self.bucket, Key="afterwards", Body=b"z")
        self.assertThere("afterwards", b"z")


@played(where=[("rclone", "http"), ("moto", "http")], needs_upstream=True)
class Cuts:
    """Connections that end early."""

    @classmethod
    def begin(cls):
        cls.between = relay.Relay(cls.target.upstream.endpoint)
        cls.addClassCleanup(cls.between.close)
        cls.through = cls.stage.new_target(cls.kind, endpoint=cls.between.endpoint)

    def test_the_store_cuts_an_answer(self):
        data = bodies.body(2_000_000, "cut")
        through = self.through.client()
        through.put_object(Bucket=self.bucket, Key="cut", Body=data)
        whole = raw.fetched(through, self.bucket, "cut", self.through)
        self.assertEqual((whole.status, whole.is_cut, whole.body), (200, False, data))
        for after in 300_000, 65_536 + 700, 1_999_000:
            self.between.cut_after = after
            try:
                answer = raw.fetched(through, self.bucket, "cut", self.through)
            finally:
                self.between.cut_after = None
            if answer.status == 200:
                self.assertTrue(answer.is_cut, "a whole answer from half an object")
                self.assertEqual(answer.body, data[: len(answer.body)])
            else:
                self.assertIn(answer.status, (0, 500, 502, 503))
        # On connections that are cut the proxy may keep none.
        eventually("it goes on", lambda: raw.fetched(
            through, self.bucket, "cut", self.through).body == data)

    def half(self, key):
        raw.half_a_put(self.target, f"/{self.bucket}/{key}", 3_000_000, bodies.body(1_500_000, "half"))

    def test_a_client_that_hangs_up_leaves_no_object(self):
        self.half("half")
        self.s3.put_object(Bucket=self.bucket, Key="old", Body=b"old")
        self.half("old")
        for _ in range(20):
            self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key="half"), status=404)
            self.assertEqual(
                self.s3.get_object(Bucket=self.bucket, Key="old")["Body"].read(), b"old")
        names = [one["Key"] for one in self.target.upstream.client().list_objects_v2(
            Bucket=self.bucket)["Contents"]]
        self.assertNotIn("half", names)
        # The control: with the other half it would be there.
        data = bodies.body(1_500_000, "half")
        answer = raw.Signer(self.target).send(
            "PUT", f"/{self.bucket}/whole", body=data + data, payload="UNSIGNED-PAYLOAD")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="whole")["ContentLength"], 3_000_000)

    def test_a_proxy_that_is_killed_leaves_no_object(self):
        dying = self.stage.new_target(self.kind)
        link = raw.connection(dying)
        path, fields, _ = raw.Signer(dying).signed(
            "PUT", f"/{self.bucket}/killed", payload="UNSIGNED-PAYLOAD")
        link.putrequest("PUT", path, skip_host=True, skip_accept_encoding=True)
        for name, value in (fields | {"content-length": "3000000"}).items():
            link.putheader(name, value)
        link.endheaders()
        link.send(bodies.body(1_500_000, "half"))
        if not IS_CONTROL:
            dying.server.kill()
        link.close()
        for _ in range(20):
            self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key="killed"), status=404)
