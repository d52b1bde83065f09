"""Prints a software bill of materials (CycloneDX 1.6, JSON) of an image: its Python packages and its Debian packages.

cyclonedx-py reads a virtual environment; of the system below it knows nothing, so dpkg's list is added here.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_TOOL = "cyclonedx-bom==7.5.0"


def python_packages(environment: Path) -> dict[str, Any]:
    """The bill of a virtual environment; the tool is installed in a temporary environment."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "--quiet", _TOOL], check=True)
        tool, interpreter = f"{folder}/bin/cyclonedx-py", str(environment / "bin/python")
        bill: dict[str, Any] = json.loads(_output([tool, "environment", "--output-reproducible", interpreter]))
        return bill


def debian_packages() -> list[dict[str, str]]:
    """A component for each package that dpkg has installed."""
    fields = "${Package}\t${Version}\t${Architecture}\n"
    rows = [line.split("\t") for line in _output(["dpkg-query", "--show", f"--showformat={fields}"]).splitlines()]
    return [
        {
            "type": "library",
            "bom-ref": f"deb/{name}/{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{name}@{version}?arch={architecture}",
        }
        for name, version, architecture in rows
    ]


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Writes the bill to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True, help="of the image")
    parser.add_argument("environment", type=Path, help="virtual environment")
    options = parser.parse_args()
    bill = python_packages(options.environment)
    bill["components"] = [*bill.get("components", []), *debian_packages()]
    bill.setdefault("metadata", {})["component"] = {"type": "container", "name": options.name, "bom-ref": options.name}
    print(json.dumps(bill, indent=1))


if __name__ == "__main__":
    main()
