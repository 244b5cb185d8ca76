#!/usr/bin/env python3
"""Prints what a binary was made of, as CycloneDX 1.5 JSON: every crate with version, licence and checksum.

Read from `cargo metadata` and Cargo.lock, so it names what was resolved for the target and nothing else.
Crates that only ran while building (build scripts, macros) are there with the scope "excluded". The time
and the serial number come from the source and the binary: the same release gives the same file.
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
import tomllib
import uuid


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def checksums():
    with open("Cargo.lock", "rb") as lock:
        packages = tomllib.load(lock)["package"]
    return {(p["name"], p["version"]): p.get("checksum") for p in packages}


def reached(nodes, root, kinds):
    """The packages that are reached from `root` over dependencies of these kinds."""
    found, left = set(), [root]
    while left:
        package = left.pop()
        if package in found:
            continue
        found.add(package)
        for dep in nodes[package]["deps"]:
            if any(kind["kind"] in kinds for kind in dep["dep_kinds"]):
                left.append(dep["pkg"])
    return found


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def linked(nodes, packages, root):
    """What is in the binary: macros run in the compiler, and so does what only they use."""
    found, left = set(), [root]
    while left:
        package = left.pop()
        if package in found or is_macro(packages[package]):
            continue
        found.add(package)
        for dep in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                left.append(dep["pkg"])
    return found


def purl(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksum, is_linked):
    entry = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if is_linked else "excluded",
        "purl": purl(package),
    }
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["license"]:
        # Old crates write "MIT/Apache-2.0" for what is now "MIT OR Apache-2.0".
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    if package["repository"]:
        entry["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return entry


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--target", required=True)
    args.add_argument("--binary", required=True)
    args = args.parse_args()

    data = metadata(args.target)
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    packages = {package["id"]: package for package in data["packages"]}
    root = data["resolve"]["root"]
    everything = reached(nodes, root, {None, "build"})
    in_binary = linked(nodes, packages, root)
    sums = checksums()

    with open(args.binary, "rb") as binary:
        digest = hashlib.sha256(binary.read()).hexdigest()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    when = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)

    ordered = sorted(everything - {root}, key=lambda i: (packages[i]["name"], packages[i]["version"]))
    components = [
        component(packages[i], sums.get((packages[i]["name"], packages[i]["version"])), i in in_binary)
        for i in ordered
    ]
    dependencies = [
        {
            "ref": purl(packages[i]),
            "dependsOn": sorted({purl(packages[d["pkg"]]) for d in nodes[i]["deps"] if d["pkg"] in everything}),
        }
        for i in [root, *ordered]
    ]
    print(
        json.dumps(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.5",
                "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, digest)}",
                "version": 1,
                "metadata": {
                    "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "component": {
                        "type": "application",
                        "bom-ref": purl(packages[root]),
                        "name": packages[root]["name"],
                        "version": packages[root]["version"],
                        "purl": purl(packages[root]),
                        "hashes": [{"alg": "SHA-256", "content": digest}],
                        "licenses": [{"expression": packages[root]["license"]}],
                    },
                },
                "components": components,
                "dependencies": dependencies,
            },
            indent=1,
            ensure_ascii=False,
        )
    )


if __name__ == "__main__":
    main()
