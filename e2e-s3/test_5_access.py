# SPDX-License-Identifier: Apache-2.0
"""Who may do what: signatures, and what belongs to the proxy alone."""
import base64
import hashlib
import time
import urllib.parse

import bodies
import proxy
import raw
import upstreams
from targets import mended, only_sealed, played

MINUTE = 60


@played()
class Signatures:
    @classmethod
    def begin(cls):
        cls.s3.put_object(Bucket=cls.bucket, Key="there", Body=b"there")

    def assertRefusedRaw(self, answer, *codes):
        self.assertIn(answer.status, (400, 403), answer)
        self.assertIn(answer.code, codes, answer)
        self.assertNotIn(b"there", answer.body.replace(b"/there", b""))

    def get(self, signer, **more):
        return signer.send("GET", f"/{self.bucket}/there", **more)

    def test_the_right_one(self):
        self.assertEqual(self.get(raw.Signer(self.target)).body, b"there")

    @mended("moto")
    def test_a_wrong_secret(self):
        self.assertRefusedRaw(
            self.get(raw.Signer(self.target, secret=self.target.secret[:-1] + "0x")), "SignatureDoesNotMatch")

    @mended("moto")
    def test_an_unknown_key(self):
        self.assertRefusedRaw(self.get(raw.Signer(self.target, "AKNOBODY")), "InvalidAccessKeyId")

    @only_sealed
    def test_the_upstreams_own_credentials(self):
        self.assertRefusedRaw(
            self.get(raw.Signer(self.target, upstreams.ACCESS_KEY, upstreams.SECRET)), "InvalidAccessKeyId")

    @mended("rclone")
    def test_the_clients_credentials_are_not_the_upstreams(self):
        """Past the proxy they open nothing, where the upstream checks."""
        import stage
        self.get(raw.Signer(self.target, stage.OTHER_ACCESS_KEY, stage.OTHER_SECRET))
        answer = self.get(raw.Signer(self.target, stage.OTHER_ACCESS_KEY, stage.OTHER_SECRET))
        self.assertEqual(answer.body, b"there")
        if self.kind == "rclone":
            past = upstreams.client(self.target.upstream.endpoint, stage.OTHER_ACCESS_KEY, stage.OTHER_SECRET)
            self.assertRefused(lambda: past.get_object(Bucket=self.bucket, Key="there"), status=403)

    @mended("rclone", "moto")
    def test_none(self):
        answer = raw.exchange(self.target, "GET", f"/{self.bucket}/there",
                              {"host": urllib.parse.urlsplit(self.target.endpoint).netloc})
        self.assertRefusedRaw(answer, "AccessDenied")

    @mended("rclone", "moto")
    def test_another_clock(self):
        for ahead in -16 * MINUTE, 16 * MINUTE:
            self.assertRefusedRaw(
                self.get(raw.Signer(self.target, ahead=ahead)), "RequestTimeTooSkewed")
        for ahead in -13 * MINUTE, 13 * MINUTE:
            self.assertEqual(self.get(raw.Signer(self.target, ahead=ahead)).body, b"there")

    @mended("moto")
    def test_a_changed_request(self):
        signer = raw.Signer(self.target)
        path, fields, _ = signer.signed("GET", f"/{self.bucket}/there")
        self.assertEqual(raw.exchange(self.target, "GET", path, fields).body, b"there")
        self.assertRefusedRaw(
            raw.exchange(self.target, "GET", f"/{self.bucket}/There", fields), "SignatureDoesNotMatch")
        self.assertRefusedRaw(
            raw.exchange(self.target, "DELETE", path, fields), "SignatureDoesNotMatch")

    @mended("moto")
    def test_a_field_that_is_not_signed(self):
        answer = raw.Signer(self.target).send(
            "PUT", f"/{self.bucket}/unsigned-field", headers={"x-amz-meta-a": "b"}, body=b"x",
            unsigned=("x-amz-meta-a",))
        self.assertRefusedRaw(answer, "AccessDenied")

    @mended("rclone", "moto")
    def test_another_region(self):
        self.assertRefusedRaw(
            self.get(raw.Signer(self.target, region="xx-nowhere-9")), "AuthorizationHeaderMalformed")


@played()
class Presigned:
    def url(self, operation, seconds=300, **more):
        return self.s3.generate_presigned_url(
            operation, {"Bucket": self.bucket, **more}, seconds)

    def ask(self, method, url, body=None, **headers):
        parts = urllib.parse.urlsplit(url)
        link = raw.connection(self.target)
        try:
            link.request(method, f"{parts.path}?{parts.query}", body, headers)
            return raw.read(link)
        finally:
            link.close()

    @mended("moto")
    def test_put_and_get(self):
        data = bodies.body(70_000, "presigned")
        answer = self.ask("PUT", self.url("put_object", Key="a b/ü"), data)
        self.assertEqual(answer.status, 200, answer)
        answer = self.ask("GET", self.url("get_object", Key="a b/ü", ResponseContentType="a/b"))
        self.assertEqual((answer.status, answer.body), (200, data))
        self.assertEqual(answer.headers["content-type"], "a/b")
        answer = self.ask("GET", self.url("get_object", Key="a b/ü"), Range="bytes=5-9")
        self.assertEqual(answer.body, data[5:10])

    @mended("moto", "rclone")
    def test_expired(self):
        self.s3.put_object(Bucket=self.bucket, Key="expired", Body=b"x")
        url = self.url("get_object", 1, Key="expired")
        self.assertEqual(self.ask("GET", url).body, b"x")
        time.sleep(2.1)
        answer = self.ask("GET", url)
        self.assertEqual((answer.status, answer.code), (403, "AccessDenied"), answer)

    @mended("moto")
    def test_for_another_key(self):
        url = self.url("get_object", Key="one").replace("/one?", "/two?")
        self.s3.put_object(Bucket=self.bucket, Key="two", Body=b"x")
        answer = self.ask("GET", url)
        self.assertEqual((answer.status, answer.code), (403, "SignatureDoesNotMatch"), answer)

    @mended("moto")
    def test_for_another_method(self):
        answer = self.ask("PUT", self.url("get_object", Key="method"), b"x")
        self.assertEqual((answer.status, answer.code), (403, "SignatureDoesNotMatch"), answer)


@played(needs_upstream=True)
class Reserved:
    """What belongs to the proxy is not there for clients, and what only the proxy may say they may not."""

    @classmethod
    def begin(cls):
        cls.s3.put_object(Bucket=cls.bucket, Key="a1", Body=b"1")
        cls.s3.put_object(Bucket=cls.bucket, Key="a2", Body=b"2")
        cls.s3.put_object(Bucket=cls.bucket, Key="!first", Body=b"3")
        cls.key = f"{proxy.RESERVED}planted"

    def setUp(self):
        self.target.upstream.client().put_object(Bucket=self.bucket, Key=self.key, Body=b"planted")

    @only_sealed
    def test_it_is_not_to_be_had(self):
        named = {"Bucket": self.bucket, "Key": self.key}
        for call in (
                lambda: self.s3.get_object(**named), lambda: self.s3.put_object(**named, Body=b"x"),
                lambda: self.s3.delete_object(**named), lambda: self.s3.head_object(**named),
                lambda: self.s3.create_multipart_upload(**named),
                lambda: self.s3.copy_object(
                    Bucket=self.bucket, Key="copy", CopySource=f"{self.bucket}/{self.key}"),
                lambda: self.s3.copy_object(**named, CopySource=f"{self.bucket}/a1")):
            self.assertRefused(call, "AccessDenied", "403", status=403)

    @only_sealed
    def test_it_is_not_listed(self):
        for call in self.s3.list_objects_v2, self.s3.list_objects:
            found = call(Bucket=self.bucket)
            self.assertEqual([one["Key"] for one in found["Contents"]], ["!first", "a1", "a2"])
            self.assertNotIn("Contents", call(Bucket=self.bucket, Prefix=proxy.RESERVED))
            self.assertNotIn("Contents", call(Bucket=self.bucket, Prefix=proxy.RESERVED[:4]))
            self.assertNotIn("CommonPrefixes", call(Bucket=self.bucket, Delimiter="/"))

    @only_sealed
    def test_pages_are_right_without_it(self):
        for call in "list_objects_v2", "list_objects":
            pages = [[one["Key"] for one in page.get("Contents", [])]
                     for page in self.s3.get_paginator(call).paginate(
                         Bucket=self.bucket, PaginationConfig={"PageSize": 1})]
            self.assertEqual(pages, [["!first"], ["a1"], ["a2"]])

    @only_sealed
    def test_it_is_not_deleted_among_others(self):
        self.s3.put_object(Bucket=self.bucket, Key="other", Body=b"x")
        from botocore.exceptions import ClientError
        try:
            answer = self.s3.delete_objects(Bucket=self.bucket, Delete={
                "Objects": [{"Key": "other"}, {"Key": self.key}]})
            self.assertEqual([(one["Key"], one["Code"]) for one in answer.get("Errors", [])],
                             [(self.key, "AccessDenied")])
        except ClientError as refusal:
            self.assertEqual(refusal.response["ResponseMetadata"]["HTTPStatusCode"], 403)
        finally:
            self.s3.delete_object(Bucket=self.bucket, Key="other")
        self.target.upstream.client().head_object(Bucket=self.bucket, Key=self.key)

    @only_sealed
    def test_metadata_of_its_own(self):
        for name in "ct1", "CT1", "ct1m", "ct1-x":
            self.assertRefused(lambda name=name: self.s3.put_object(
                Bucket=self.bucket, Key="m", Body=b"", Metadata={name: "x"}), "InvalidArgument", status=400)
            self.assertRefused(lambda name=name: self.s3.copy_object(
                Bucket=self.bucket, Key="m", CopySource=f"{self.bucket}/a1", MetadataDirective="REPLACE",
                Metadata={name: "x"}), "InvalidArgument", status=400)
            self.assertRefused(lambda name=name: self.s3.create_multipart_upload(
                Bucket=self.bucket, Key="m", Metadata={name: "x"}), "InvalidArgument", status=400)

    @only_sealed
    def test_keys_of_the_customer(self):
        key = bytes(32)
        headers = {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": base64.b64encode(key).decode(),
            "x-amz-server-side-encryption-customer-key-md5": base64.b64encode(
                hashlib.md5(key).digest()).decode()}
        answer = raw.Signer(self.target).send(
            "PUT", f"/{self.bucket}/customer", headers=headers, body=b"x")
        self.assertEqual((answer.status, answer.code), (501, "NotImplemented"), answer)
        self.assertRefused(lambda: self.s3.head_object(Bucket=self.bucket, Key="customer"), status=404)

    @only_sealed
    def test_what_is_not_sealed_is_refused(self):
        upstream = self.target.upstream.client()
        upstream.put_object(Bucket=self.bucket, Key="b-plain", Body=b"plain" * 40)
        try:
            answer = raw.fetched(self.s3, self.bucket, "b-plain", self.target)
            self.assertGreaterEqual(answer.status, 400, answer)
            self.assertNotIn(b"plainplain", answer.body)
        finally:
            upstream.delete_object(Bucket=self.bucket, Key="b-plain")

    def test_what_is_passed_through(self):
        """The policy names a prefix under which objects may be there unsealed. They are read as they are;
        what is written is sealed there too. Control: the same object elsewhere is refused (above)."""
        upstream = self.target.upstream.client()
        bucket, key, data = proxy.OPEN_BUCKET, f"{proxy.PASSED_THROUGH}object", b"for everybody " * 10_000
        upstream.create_bucket(Bucket=bucket)
        upstream.put_object(Bucket=bucket, Key=key, Body=data, Metadata={"a": "b"})
        try:
            got = self.s3.get_object(Bucket=bucket, Key=key)
            self.assertEqual(got["Body"].read(), data)
            self.assertEqual({name.lower(): value for name, value in got["Metadata"].items()}["a"], "b")
            got = raw.fetched(self.s3, bucket, key, self.target, {"range": "bytes=139990-"})
            self.assertEqual(got.body, data[139_990:])
            listed = self.s3.list_objects_v2(Bucket=bucket, Prefix=proxy.PASSED_THROUGH)["Contents"]
            self.assertEqual([one["Size"] for one in listed], [len(data)])
            self.s3.put_object(Bucket=bucket, Key=key, Body=b"anew")
            self.assertNotIn(b"anew", upstream.get_object(Bucket=bucket, Key=key)["Body"].read())
            self.assertEqual(self.s3.get_object(Bucket=bucket, Key=key)["Body"].read(), b"anew")
        finally:
            upstream.delete_object(Bucket=bucket, Key=key)
