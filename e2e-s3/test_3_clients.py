# SPDX-License-Identifier: Apache-2.0
"""Clients that people use: they copy and compare, and then find nothing to do."""
import json
import os
import shutil
import subprocess
import tempfile

import bodies
import upstreams
from targets import ALL, IS_CONTROL, OTHER_TWO, played

FILES = {
    "empty": 0, "one": 1, "chunk": 65_536, "folder/more than a chunk": 65_537, "folder/ü+&=#%41": 70_000,
    "deep/er/still/five": 5 * bodies.MIB, "large.bin": 21 * bodies.MIB + 3}


class Tree:
    """A folder to be stored."""

    @classmethod
    def begin(cls):
        cls.folder = tempfile.mkdtemp(prefix="tree-", dir=cls.stage.folder)
        cls.write(cls.folder, {name: bodies.body(size, name) for name, size in FILES.items()})

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @staticmethod
    def write(folder, files):
        for name, data in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)

    @staticmethod
    def files(folder):
        found = {}
        for place, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(place, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = file.read()
        return found

    def environment(self):
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    def run_client(self, *command, more=None, ok=(0,)):
        done = subprocess.run(command, env=self.environment() | (more or {}), capture_output=True,
                              text=True, timeout=300, check=False, cwd=self.stage.folder)
        self.assertIn(done.returncode, ok, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        return done.stdout + done.stderr


@played(where=OTHER_TWO)
class AwsCommandLine(Tree):
    def environment(self):
        configuration = os.path.join(self.stage.folder, "aws-configuration")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write("[default]\ns3 =\n  addressing_style = path\n")
        made = super().environment() | {
            "AWS_ACCESS_KEY_ID": self.target.access_key, "AWS_SECRET_ACCESS_KEY": self.target.secret,
            "AWS_DEFAULT_REGION": upstreams.REGION, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": configuration, "AWS_MAX_ATTEMPTS": "1"}
        if IS_CONTROL:
            # See upstreams.without_expecting.
            made["BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE"] = "true"
        if self.target.authority:
            made["AWS_CA_BUNDLE"] = self.target.authority
        return made

    def aws(self, *words, **more):
        return self.run_client("aws", "--endpoint-url", self.target.endpoint, *words, **more)

    def test_sync_and_back(self):
        there = f"s3://{self.bucket}/sync"
        said = self.aws("s3", "sync", self.folder, there)
        self.assertEqual(said.count("upload: "), len(FILES), said)
        # The times of files are before those of objects: sizes decide.
        said = self.aws("s3", "sync", self.folder, there)
        self.assertEqual(said.strip(), "")
        back = os.path.join(self.stage.folder, f"back-{self.bucket}")
        said = self.aws("s3", "sync", there, back)
        self.assertEqual(said.count("download: "), len(FILES), said)
        self.assertEqual(self.files(back), self.files(self.folder))
        said = self.aws("s3", "sync", there, back)
        self.assertEqual(said.strip(), "")
        shutil.rmtree(back)
        # The control: another size is something to do.
        self.write(self.folder, {"one": b"22"})
        said = self.aws("s3", "sync", self.folder, there)
        self.assertEqual(said.count("upload: "), 1, said)
        self.write(self.folder, {"one": bodies.body(1, "one")})
        said = self.aws("s3", "ls", "--recursive", there)
        sizes = sorted(int(line.split()[2]) for line in said.splitlines())
        self.assertEqual(sizes, sorted({**FILES, "one": 2}.values()))

    def test_a_stream(self):
        name = f"s3://{self.bucket}/stream"
        path = os.path.join(self.folder, "folder/more than a chunk")
        self.run_client("sh", "-c", 'aws --endpoint-url "$1" s3 cp - "$2" < "$3"', "sh",
                        self.target.endpoint, name, path)
        back = os.path.join(self.stage.folder, "stream")
        self.aws("s3", "cp", name, back)
        with open(back, "rb") as file:
            self.assertEqual(file.read(), bodies.body(65_537, "folder/more than a chunk"))

    def test_the_newest_checksum(self):
        """It is made by a library that this version of the client finds beside it; over https it goes in a
        trailer. test_4_bodies.py has the others."""
        library = os.path.join(os.environ.get("CLOUDTASER_S3", ""), "python")
        for name in "folder/ü+&=#%41", "large.bin":
            with self.subTest(name=name):
                self.aws("s3", "cp", os.path.join(self.folder, name), f"s3://{self.bucket}/newest",
                         "--checksum-algorithm", "CRC64NVME", more={"PYTHONPATH": library})
                got = self.s3.get_object(Bucket=self.bucket, Key="newest")["Body"].read()
                self.assertEqual(got, bodies.body(FILES[name], name))

    def test_moved_and_removed(self):
        there = f"s3://{self.bucket}/move"
        self.aws("s3", "cp", os.path.join(self.folder, "chunk"), f"{there}/a")
        self.aws("s3", "mv", f"{there}/a", f"{there}/b")
        self.assertEqual(
            [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket, Prefix="move")["Contents"]],
            ["move/b"])
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="move/b")["Body"].read(),
                         bodies.body(65_536, "chunk"))
        self.aws("s3", "rm", "--recursive", there)
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket, Prefix="move"))


@played(where=ALL)
class Rclone(Tree):
    def environment(self):
        made = super().environment() | {
            "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_THERE_TYPE": "s3",
            "RCLONE_CONFIG_THERE_PROVIDER": "Other", "RCLONE_CONFIG_THERE_ENDPOINT": self.target.endpoint,
            "RCLONE_CONFIG_THERE_ACCESS_KEY_ID": self.target.access_key,
            "RCLONE_CONFIG_THERE_SECRET_ACCESS_KEY": self.target.secret,
            "RCLONE_CONFIG_THERE_REGION": upstreams.REGION, "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1", "RCLONE_S3_UPLOAD_CUTOFF": "10M",
            "RCLONE_S3_CHUNK_SIZE": "5M"}
        if self.target.authority:
            made["RCLONE_CA_CERT"] = self.target.authority
        return made

    def rclone(self, *words, **more):
        return self.run_client(upstreams.rclone_program(), *words, **more)

    def transfers(self, *words):
        """How many files it took for different."""
        said = self.rclone(*words, "--use-json-log", "--stats", "1h", "--stats-log-level", "NOTICE", "-v")
        stats = [one["stats"] for one in map(json.loads, said.splitlines()) if "stats" in one]
        return stats[-1]["transfers"]

    def test_nothing_to_do_after_an_upload(self):
        there = f"there:{self.bucket}/tree"
        self.assertEqual(self.transfers("copy", self.folder, there), len(FILES))
        for how in (), ("--checksum",), ("--size-only",):
            self.assertEqual(self.transfers("sync", *how, self.folder, there), 0, how)
            self.assertEqual(self.transfers("sync", *how, there, self.folder), 0, how)
        self.rclone("check", self.folder, there)
        said = self.rclone("check", "--download", self.folder, there)
        self.assertIn("0 differences found", said)
        listed = json.loads(self.rclone("lsjson", "-R", "--files-only", there))
        sizes = {one["Path"]: one["Size"] for one in listed}
        self.assertEqual(sizes, FILES)
        # The controls: another size is something to do, and other bytes are a difference.
        other = tempfile.mkdtemp(dir=self.stage.folder)
        self.write(other, {"one": b"22", "chunk": bodies.body(65_536, "other")})
        self.assertEqual(self.transfers("copy", "--size-only", other, there), 1)
        said = self.rclone("check", "--download", "--one-way", other, there, ok=(1,))
        self.assertIn("1 differences found", said)
        shutil.rmtree(other)

    def test_a_stream(self):
        self.run_client("sh", "-c", '"$1" rcat "there:$2/stream" < "$3"', "sh",
                        upstreams.rclone_program(), self.bucket, os.path.join(self.folder, "large.bin"))
        self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key="stream")["Body"].read(),
                         bodies.body(FILES["large.bin"], "large.bin"))

    def test_copied_and_moved_there(self):
        self.rclone("copy", os.path.join(self.folder, "chunk"), f"there:{self.bucket}/a")
        self.rclone("copyto", f"there:{self.bucket}/a/chunk", f"there:{self.bucket}/b/copied")
        self.rclone("moveto", f"there:{self.bucket}/a/chunk", f"there:{self.bucket}/b/moved")
        keys = [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]
                if one["Key"][:2] in ("a/", "b/")]
        self.assertEqual(keys, ["b/copied", "b/moved"])
        for key in keys:
            self.assertEqual(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read(),
                             bodies.body(65_536, "chunk"))
        self.rclone("purge", f"there:{self.bucket}/b")
        self.assertNotIn("Contents", self.s3.list_objects_v2(Bucket=self.bucket, Prefix="b/"))


