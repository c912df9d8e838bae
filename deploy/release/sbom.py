# SPDX-License-Identifier: Apache-2.0
"""The parts of a release as CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/).

In it: our programs with their hashes, the Swift packages and the archives of Debian that are linked into them, the sources
of others inside those packages, and Swift's run-time. Not in it: what runs beside them, like the C library of an image, and
headers, which leave nothing in a program.
"""
import uuid

import lock as locks

NAME = "cloudtaser"
SWIFT = "Apache-2.0 WITH Swift-exception"
# What may be in a release. Others are a question for somebody first.
LICENCES = {
    "Apache-2.0", SWIFT, "MIT", "Zlib", "CC0-1.0", "BSD-3-Clause", "Apache-2.0 AND ISC AND MIT",
    *locks.DEBIAN_LICENCES.values()}
NAMESPACE = uuid.UUID("6f0f6e1c-6d0c-5b7e-9a55-0d8f5f1f2f6b")


def licences(spdx):
    # An identifier has its own place; a schema knows all of them.
    return [{"license": {"id": spdx}}] if " " not in spdx else [{"expression": spdx}]


def package_url(package):
    place = package["location"].removeprefix("https://").removesuffix(".git")
    return f"pkg:swift/{place}@{package['version']}"


def archive_url(name, version, distribution):
    # Characters of a Debian version that a package URL escapes.
    escaped = version.replace("+", "%2B").replace(":", "%3A")
    return f"pkg:deb/debian/{name.replace('+', '%2B')}@{escaped}?arch=amd64&distro={distribution}"


def library(name, version, url, spdx, source=None, revision=None):
    found = {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url, "licenses": licences(spdx)}
    if source:
        found["externalReferences"] = [{"type": "vcs", "url": source}]
    if revision:
        found["properties"] = [{"name": "cloudtaser:revision", "value": revision}]
    return found


def document(lock, hashes, facts):
    """
    hashes: SHA-256 by program. facts: version, commit, time (RFC 3339), swift, archives (version by Debian package),
    distribution (like debian-12).
    """
    swift = f"pkg:generic/swift@{facts['swift']}"
    components, dependencies = [], [{"ref": NAME, "dependsOn": sorted(f"program/{name}" for name in hashes)}]
    linked = {identity for name in hashes for identity in lock["programs"][name]["packages"]}
    packages = {one["identity"]: one for one in lock["packages"] if one["identity"] in linked}
    archives = sorted({archive for name in hashes for archive in lock["programs"][name]["archives"]})
    urls = {one: archive_url(one, facts["archives"][one], facts["distribution"]) for one in archives}
    for name in sorted(hashes):
        parts = lock["programs"][name]
        components.append({
            "type": "application", "bom-ref": f"program/{name}", "name": name, "version": facts["version"],
            "hashes": [{"alg": "SHA-256", "content": hashes[name]}], "licenses": licences("Apache-2.0"),
            "properties": [{"name": "cloudtaser:static", "value": str(name in locks.STATIC).lower()}]})
        dependencies.append({"ref": f"program/{name}", "dependsOn": sorted(
            [package_url(packages[one]) for one in parts["packages"]] + [urls[one] for one in parts["archives"]]
            + [swift])})
    components.append(library("swift", facts["swift"], swift, SWIFT, "https://github.com/swiftlang/swift"))
    dependencies.append({"ref": swift, "dependsOn": []})
    for one in packages.values():
        part = library(
            one["identity"], one["version"], package_url(one), one["licence"], one["location"], one["revision"])
        if one["bundles"]:
            part["components"] = [
                {"type": "library", "bom-ref": f"{package_url(one)}#{bundle['name']}", "name": bundle["name"],
                 **({"version": bundle["version"]} if "version" in bundle else {}),
                 "licenses": licences(bundle["licence"])} for bundle in one["bundles"]]
        components.append(part)
        dependencies.append({"ref": package_url(one), "dependsOn": sorted(
            package_url(packages[other]) for other in one["dependsOn"] if other in packages)})
    for one in archives:
        components.append(library(one, facts["archives"][one], urls[one], locks.DEBIAN_LICENCES[one]))
        dependencies.append({"ref": urls[one], "dependsOn": []})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6",
        # The same programs have the same number.
        "serialNumber": "urn:uuid:" + str(uuid.uuid5(NAMESPACE, facts["commit"] + repr(sorted(hashes.items())))),
        "version": 1,
        "metadata": {
            "timestamp": facts["time"], "lifecycles": [{"phase": "build"}],
            "component": {
                "type": "application", "bom-ref": NAME, "name": NAME, "version": facts["version"],
                "licenses": licences("Apache-2.0"),
                "properties": [{"name": "cloudtaser:commit", "value": facts["commit"]}]}},
        "components": components, "dependencies": dependencies,
        "compositions": [{"aggregate": "complete", "assemblies": [f"program/{name}" for name in sorted(hashes)]}]}


def every(components):
    for one in components:
        yield one
        yield from every(one.get("components", []))


def complaints(found, lock, hashes):
    """What is wrong with a document that is of the schema: against the lock, and against the programs that are there."""
    parts = {one["bom-ref"]: one for one in every(found.get("components", []))}
    if len(parts) != len(list(every(found.get("components", [])))):
        yield "two components have the same bom-ref"
    programs = {
        one["name"]: one for one in parts.values() if one["type"] == "application"}
    for name in sorted(set(programs) | set(hashes)):
        told = {one["alg"]: one["content"] for one in programs.get(name, {}).get("hashes", [])}
        if name not in programs:
            yield f"{name} is not in the list of parts"
        elif name not in hashes:
            yield f"{name} is in the list of parts, and not there"
        elif told.get("SHA-256") != hashes[name]:
            yield f"{name} is not the program that the list of parts is of"
    for reference, one in parts.items():
        words = [entry.get("expression") or entry.get("license", {}).get("id") for entry in one.get("licenses", [])]
        if len(words) != 1 or words[0] not in LICENCES:
            yield f"{reference}: licence {' and '.join(map(str, words)) or 'not said'}, which is not allowed here"
    graph = {one["ref"]: set(one.get("dependsOn", [])) for one in found.get("dependencies", [])}
    for reference in sorted(set().union(*graph.values(), graph) - set(parts) - {NAME}):
        yield f"{reference} is depended on, and no component"
    reached = locks.closure(graph, [NAME])
    for reference in sorted(set(parts) - reached):
        if "#" not in reference:
            yield f"{reference} is a component, and part of nothing"
    known = {one["identity"]: one for one in lock["packages"]}
    for name, program in programs.items():
        wanted = {package_url(known[one]) for one in lock["programs"].get(name, {}).get("packages", [])}
        told = {one for one in graph.get(f"program/{name}", ()) if one.startswith("pkg:swift/")}
        for url in sorted(wanted ^ told):
            yield f"{name}: {url} is {'locked, and not told' if url in wanted else 'told, and not locked'}"
        archives = {one.split("/")[2].split("@")[0].replace("%2B", "+")
                    for one in graph.get(f"program/{name}", ()) if one.startswith("pkg:deb/")}
        if archives != set(lock["programs"].get(name, {}).get("archives", [])):
            yield f"{name}: its archives of Debian are not those that are locked"


def violations(text):
    """What a document is against the schema of CycloneDX 1.6: the first complaint, or nothing."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return [] if error is None else [str(error).split("\n", maxsplit=1)[0]]
