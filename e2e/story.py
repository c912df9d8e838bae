#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole story on one machine: an application that has its password from a Secret is found, converted, injected
by the operator of a real cluster, given its secret by a real vault, attacked, audited; and objects are encrypted
on their way to a store. The last line is `N passed, N failed`.

Usage: story.py   with the interpreter of .ci/fetch-manifest-tools; programs by environment variables (Makefile: DEMO)
"""
import contextlib
import os
import signal
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The chart and the API server; the vault and the attacks; behind everything, the S3 proxy as a process.
sys.path[:0] = [os.path.join(ROOT, "deploy", "tests"), os.path.join(ROOT, "vm-tests")]
sys.path.append(os.path.join(ROOT, "e2e-s3"))

import telling  # noqa: E402
from chapters import Chapters  # noqa: E402
from shop import Shop  # noqa: E402
from stage import Stage, Version  # noqa: E402

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupted(number, _):
    # What is cleaned up after this is not interrupted again.
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)


def programs(folder):
    """A folder for PATH, so that commands are what somebody would type."""
    place = os.path.join(folder, "bin")
    os.mkdir(place)
    get = os.environ.__getitem__
    for name, path in {
            "cloudtaser": get("CLOUDTASER_TOOL"), "attack": get("CLOUDTASER_ATTACK"), "bao": get("CLOUDTASER_OPENBAO"),
            "kubectl": os.path.join(get("CLOUDTASER_KUBERNETES"), "kubectl"),
            "rclone": os.path.join(get("CLOUDTASER_S3"), "rclone")}.items():
        os.symlink(os.path.abspath(path), os.path.join(place, name))
    return f"{place}:/usr/bin:/bin"


def play(tell, folder, opened):
    tell.text("A kube-apiserver with its etcd, OpenBao and two replicas of the operator are being started.")
    scene = Stage(folder, Version(os.environ["CLOUDTASER_OPERATOR"]))
    opened.callback(scene.close)
    os.symlink(os.path.join(scene.server.folder, "etcd"), os.path.join(folder, "etcd"))
    tell.environment.update({
        "PATH": programs(folder), "HOME": folder, "LANG": "C.UTF-8", "NO_COLOR": "1",
        "KUBECONFIG": scene.server.kubeconfig, "VAULT_ADDR": scene.vault.address,
        "VAULT_CACERT": scene.vault.ca_file, "VAULT_TOKEN": scene.vault.token})
    tell.text("Not there: controllers of workloads and a kubelet. The story makes pods and runs their containers.")
    application = Shop(scene, folder)
    opened.callback(application.end_programs)
    for chapter in Chapters(tell, application).all():
        chapter()


def main():
    for one in ENDING:
        signal.signal(one, interrupted)
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="cloudtaser-demo-"))
        # Containers run as users of their own.
        os.chmod(folder, 0o711)
        tell = telling.Telling(folder, {})
        try:
            play(tell, folder, opened)
        except KeyboardInterrupt as error:
            tell.broken(f"interrupted by {error}; everything that was started is being ended")
        except Exception as error:  # told, and everything is ended
            tell.broken(f"the story ends here: {type(error).__name__}: {error}")
    return tell.end()


if __name__ == "__main__":
    sys.exit(main())
