# SPDX-License-Identifier: Apache-2.0
"""deploy/kustomize: its base is what the chart renders, and its overlays build."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import support

FOLDER = os.path.join(support.ROOT, "deploy", "kustomize")
sys.path.insert(0, FOLDER)

import render  # noqa: E402
from test_chart import complaint  # noqa: E402


def build(overlay):
    """What `kubectl kustomize` of 1.20 makes of it.

    That version names folders under `bases`, which newer ones take as resources: the copy is rewritten.
    """
    kubectl = os.path.join(os.environ["CLOUDTASER_KUBERNETES"], "kubectl")
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(FOLDER, os.path.join(folder, "kustomize"))
        file = os.path.join(copy, "overlays", overlay, "kustomization.yaml")
        with open(file, encoding="utf-8") as source:
            text = source.read()
        text = re.sub(r"(?m)^  - (\.\./\S*)$", r"bases: [\1]", text)
        with open(file, "w", encoding="utf-8") as target:
            target.write(text)
        run = subprocess.run(
            [kubectl, "kustomize", os.path.dirname(file)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return support.load_all(run.stdout)


def identity(one):
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


class Kustomize(unittest.TestCase):
    def test_the_base_is_what_the_chart_renders(self):
        self.assertEqual(list(render.differences()), [])

    def test_a_base_that_was_changed_by_hand_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(render.BASE, os.path.join(folder, "base"))
            with open(os.path.join(copy, "agent.yaml"), "a", encoding="utf-8") as file:
                file.write("# changed\n")
            os.remove(os.path.join(copy, "csi.yaml"))
            with open(os.path.join(copy, "more.yaml"), "w", encoding="utf-8"):
                pass
            original, render.BASE = render.BASE, copy
            try:
                found = list(render.differences())
            finally:
                render.BASE = original
        self.assertEqual(found, ["agent.yaml", "csi.yaml", "more.yaml"])

    def test_overlays_change_images_only_and_add_the_namespace(self):
        base = {identity(one): one for name, text in render.files().items()
                if name != "kustomization.yaml" for one in support.load_all(text)}
        overlays = os.listdir(os.path.join(FOLDER, "overlays"))
        self.assertGreater(len(overlays), 0)
        for overlay in overlays:
            built = {identity(one): one for one in build(overlay)}
            space = built.pop(("Namespace", None, support.NAMESPACE))
            self.assertEqual(
                space["metadata"]["labels"], {"pod-security.kubernetes.io/enforce": "privileged"})
            self.assertEqual(set(built), set(base))
            for key, one in built.items():
                with self.subTest(overlay=overlay, object=key):
                    text = support.dump(one).replace("registry.example.eu/cloudtaser/", "cloudtaser/")
                    self.assertEqual(text, support.dump(base[key]))

    def test_overlays_are_of_the_schemas_of_kubernetes(self):
        for overlay in os.listdir(os.path.join(FOLDER, "overlays")):
            built = build(overlay)
            # From the version on that the base is rendered for.
            for version in support.VERSIONS[support.VERSIONS.index(render.VERSION):]:
                with self.subTest(overlay=overlay, version=version):
                    self.assertEqual([complaint(one, version) for one in built], [None] * len(built))

    def test_every_image_of_ours_is_replaced(self):
        for overlay in os.listdir(os.path.join(FOLDER, "overlays")):
            text = support.dump(build(overlay))
            self.assertNotIn('"cloudtaser/', text)
            self.assertEqual(text.count("registry.example.eu/cloudtaser/"), 2)
