# SPDX-License-Identifier: Apache-2.0
"""Where the tests are played: at the proxy in front of each upstream, at the bare upstreams to see what
the tests can tell, or at an endpoint that somebody names.

    CLOUDTASER_S3_PROXY=PROGRAM     the proxy, in front of rclone and moto
    E2E_S3_CONTROL=1                the bare upstreams
    E2E_S3_ENDPOINT=URL             that endpoint, with E2E_S3_ACCESS_KEY, E2E_S3_SECRET_KEY,
                                    E2E_S3_CA (a file), E2E_S3_KIND (rclone, moto or another name) and
                                    E2E_S3_BUCKET_PREFIX
"""
import contextlib
import functools
import os
import sys
import time
import unittest

# What is not run, and why: printed at the end.
left_out = {}
# Seconds, by test.
spent = {}

IS_CONTROL = bool(os.environ.get("E2E_S3_CONTROL"))
IS_NAMED = bool(os.environ.get("E2E_S3_ENDPOINT"))
KIND = os.environ.get("E2E_S3_KIND", "s3")

if IS_NAMED:
    TWO = OTHER_TWO = ALL = [(KIND, os.environ["E2E_S3_ENDPOINT"].split(":")[0])]
elif IS_CONTROL:
    TWO = OTHER_TWO = ALL = [("rclone", "http"), ("moto", "http")]
else:
    TWO = [("rclone", "http"), ("moto", "https")]
    OTHER_TWO = [("rclone", "https"), ("moto", "http")]
    ALL = [(kind, scheme) for kind in ("rclone", "moto") for scheme in ("http", "https")]


class lacks:
    """Of a test: what an upstream does not have, so that no proxy in front of it has it. It is not run
    there. At the bare upstream it is, and has to fail."""

    def __init__(self, **reasons):
        self.reasons = reasons

    def __call__(self, test):
        test.lacks = getattr(test, "lacks", {}) | self.reasons
        return test


class mended:
    """Of a test: what the bare upstreams of these kinds do wrong and the proxy does right. At the bare
    upstream it has to fail."""

    def __init__(self, *kinds):
        self.kinds = kinds

    def __call__(self, test):
        test.mended = getattr(test, "mended", ()) + self.kinds
        return test


# Of a test that fails without a proxy: it shows what the proxy is for.
only_sealed = mended("rclone", "moto")


def must_fail(test):
    """The control of a test: without what it looks for it does not pass."""
    @functools.wraps(test)
    def run(self):
        # A part that fails would be reported, and the rest would go on.
        self.subTest = lambda **_: contextlib.nullcontext()
        try:
            test(self)
        except (KeyError, IndexError, AttributeError, NameError):
            raise  # The test stumbled; it has not looked.
        except Exception as failure:  # pylint: disable=broad-except
            print(f"(fails as it should: {type(failure).__name__}: {str(failure)[:160]!r})", end=" ")
            return
        self.fail("passes at the bare upstream as well: it tells nothing of the proxy, "
                  "or the upstream is better than what is written of it")
    return run


def played(where=None, needs_upstream=False):
    """Of a class of tests, which becomes one TestCase for each target. `needs_upstream`: what is behind
    the endpoint has to be at hand."""
    def decorate(cls):
        module = sys.modules[cls.__module__]
        for kind, scheme in where or TWO:
            if IS_NAMED and needs_upstream:
                left_out[f"{cls.__module__}.{cls.__name__}"] = "what is behind the endpoint is not known"
                continue
            members = {"kind": kind, "scheme": scheme, "__module__": cls.__module__,
                       "__qualname__": f"{cls.__name__}_{kind}_{scheme}"}
            for name in dir(cls):
                test = getattr(cls, name)
                if name.startswith("test_"):
                    members[name] = _in_place(test, kind, f"{members['__qualname__']}.{name}")
            made = type(members["__qualname__"], (cls, Case), members)
            setattr(module, made.__name__, made)
        return cls
    return decorate


def _in_place(test, kind, name):
    reason = getattr(test, "lacks", {}).get(kind)
    if IS_CONTROL and (reason or kind in getattr(test, "mended", ())):
        return must_fail(test)
    if reason:
        left_out[name] = reason
        return None
    return test


class Case(unittest.TestCase):
    """A bucket for each class, unless the class says otherwise."""

    maxDiff = 2000
    wants_bucket = True

    @classmethod
    def setUpClass(cls):
        import stage
        cls.stage = stage.shared()
        cls.target = cls.stage.target(cls.kind, cls.scheme)
        cls.s3 = cls.target.client()
        if cls.wants_bucket:
            cls.bucket = cls.target.new_bucket()
        started = time.monotonic()
        cls.begin()
        spent[f"{cls.__module__}.{cls.__name__} before the first test"] = time.monotonic() - started

    def run(self, result=None):
        started = time.monotonic()
        try:
            return super().run(result)
        finally:
            spent[self.id()] = time.monotonic() - started

    @classmethod
    def begin(cls):
        """After the target is there."""

    def assertRefused(self, call, *codes, status=None):
        """An error that S3 knows; an unnamed one where the answer has no body."""
        from botocore.exceptions import ClientError
        with self.assertRaises(ClientError) as caught:
            call()
        answer = caught.exception.response
        if codes:
            self.assertIn(answer["Error"]["Code"], codes, answer)
        if status:
            self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], status, answer)
        return answer
