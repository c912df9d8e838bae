# SPDX-License-Identifier: Apache-2.0
"""The stores that the proxy stands in front of, and how to look into them past their API."""
import os
import shutil

import boto3
import botocore.handlers
from botocore.config import Config

from servers import Server

REGION = "us-east-1"
ACCESS_KEY = "AKUPSTREAM5B0C1F7E9A"
# No client and no log may ever see it.
SECRET = "upstream-secret-9a7d4b42c1f7e95b0c5b0c1f"


def client(endpoint, access_key, secret, authority=None, **more):
    """One that says what went wrong at once."""
    settings = {
        # Of presigned addresses too.
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"}, "retries": {"total_max_attempts": 1},
        "connect_timeout": 20, "read_timeout": 180, "max_pool_connections": 20} | more
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id=access_key, aws_secret_access_key=secret,
        region_name=REGION, verify=authority, config=Config(**settings))


def without_expecting(made):
    """rclone keeps a connection busy for 60 s when a PUT with nothing in it expects a 100."""
    made.meta.events.unregister("before-call.s3", botocore.handlers.add_expect_header)
    return made


class Upstream(Server):
    kind = None

    def client(self):
        return without_expecting(client(self.endpoint, ACCESS_KEY, SECRET))

    def stored(self):
        """Everything that it keeps, as (where, bytes)."""
        raise NotImplementedError


class Rclone(Upstream):
    """Objects are files; metadata is in memory only."""

    kind = "rclone"

    def __init__(self, folder, name="rclone"):
        super().__init__(folder, name)
        self.files = os.path.join(folder, f"{name}-files")
        os.makedirs(self.files)

    def command(self):
        # Keys in the environment: a command line is for everybody to see.
        return [rclone_program(), "serve", "s3", "--addr", f"127.0.0.1:{self.port}", "-vv", self.files]

    def environment(self):
        return dict(os.environ) | {
            "RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET}"', "RCLONE_CONFIG": "/dev/null"}

    def stored(self):
        for folder, folders, names in os.walk(self.files):
            for name in folders + names:
                yield f"a name in {folder}", os.fsencode(name)
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    yield path, file.read()
        yield from self.memory()


class Moto(Upstream):
    """Everything is in memory, and larger bodies in files without a name."""

    kind = "moto"

    def __init__(self, folder, name="moto"):
        super().__init__(folder, name)

    def command(self):
        return [os.path.join(os.environ["CLOUDTASER_S3"], "moto-server"), "-H", "127.0.0.1", "-p", str(self.port)]

    def stored(self):
        yield from self.memory()
        yield from self.deleted_files()


def rclone_program():
    folder = os.environ.get("CLOUDTASER_S3", "")
    for path in os.path.join(folder, "rclone"), os.path.join(folder, "bin", "rclone"):
        if folder and os.access(path, os.X_OK):
            return path
    found = shutil.which("rclone")
    if not found:
        raise AssertionError("no rclone: run e2e-s3/setup, and set CLOUDTASER_S3 to its folder")
    return found
