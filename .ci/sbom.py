#!/usr/bin/env python3
"""Prints what a binary was made of, as CycloneDX 1.5 JSON: every crate, and every package in the admin page,
with version, licence and checksum.

What is built in comes from `cargo tree`, which chooses features as a build of the program does; `cargo
metadata` alone would add what only the tests ask for. The packages of the page are those that its bundler
named when it put it together. Crates that only ran while building (build scripts, macros) are there with the
scope "excluded". The time and the serial number come from the source and the binary: the same release gives
the same file.
"""

import argparse
import base64
import datetime
import hashlib
import json
import os
import re
import subprocess
import tomllib
import urllib.parse
import uuid

PAGE = "assets/admin"


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def checksums():
    with open("Cargo.lock", "rb") as lock:
        packages = tomllib.load(lock)["package"]
    return {(p["name"], p["version"]): p.get("checksum") for p in packages}


def built(target, edges):
    """Name and version of every crate that a build for `target` reaches over these kinds of edges."""
    command = ["cargo", "tree", "--locked", "--target", target, "--edges", edges]
    command += ["--prefix", "none", "--format", "{p}"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    words = [line.split() for line in lines if line]
    return {(word[0], word[1].removeprefix("v")) for word in words}


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


def page_components():
    """The packages in the admin page, which is built in."""
    with open(f"{PAGE}/package-lock.json", encoding="utf-8") as lock:
        locked = json.load(lock)["packages"]
    known = {}
    for path, entry in locked.items():
        name = entry.get("name") or path.rpartition("node_modules/")[2]
        known[name, entry.get("version")] = entry
    with open(f"{PAGE}/dist/licenses.md", encoding="utf-8") as licences:
        named = re.findall(r"^## (\S+) - (\S+) \((.+)\)$", licences.read(), re.MULTILINE)
    for name, version, licence in sorted(named):
        where = f"pkg:npm/{urllib.parse.quote(name)}@{version}"
        kind, _, digest = known[name, version]["integrity"].partition("-")
        yield {
            "type": "library",
            "bom-ref": where,
            "name": name,
            "version": version,
            "scope": "required",
            "hashes": [{"alg": kind.replace("sha", "SHA-"), "content": base64.b64decode(digest).hex()}],
            "licenses": [{"expression": licence}],
            "purl": where,
        }


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--target", required=True)
    args.add_argument("--binary", required=True)
    args = args.parse_args()

    data = metadata(args.target)
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    packages = {package["id"]: package for package in data["packages"]}
    root = data["resolve"]["root"]
    # Macros run in the compiler, and so does what only they use.
    linked = built(args.target, "normal,no-proc-macro")
    everything = built(args.target, "normal,build")
    sums = checksums()

    def key(package):
        return packages[package]["name"], packages[package]["version"]

    with open(args.binary, "rb") as binary:
        digest = hashlib.sha256(binary.read()).hexdigest()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    when = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc)

    crates = sorted((i for i in packages if i != root and key(i) in everything), key=key)
    components = [component(packages[i], sums.get(key(i)), key(i) in linked) for i in crates]
    dependencies = [
        {
            "ref": purl(packages[i]),
            "dependsOn": sorted({purl(packages[d["pkg"]]) for d in nodes[i]["deps"] if key(d["pkg"]) in everything}),
        }
        for i in [root, *crates]
    ]
    page = list(page_components())
    dependencies[0]["dependsOn"] += [package["bom-ref"] for package in page]
    components += page
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
