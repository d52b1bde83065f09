"""Prints what a setup.cfg requires, a requirement a line: ``python requirements.py setup.cfg EXTRA...``.

An image installs these before any code is copied, so that a change of code does not install them again. pip has no
option that installs a project's requirements without the project: it would read the metadata, and so need the code.
"""

from __future__ import annotations

import configparser
import sys


def requirements(path: str, extras: list[str]) -> list[str]:
    """Install requirements and those of the extras, in the order of the file.

    Raises:
        KeyError: There is no such extra.
    """
    config = configparser.ConfigParser()
    with open(path, encoding="utf-8") as file:
        config.read_file(file)
    groups = [config["options"]["install_requires"], *(config["options.extras_require"][extra] for extra in extras)]
    return [line for group in groups for line in group.split("\n") if line]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1], sys.argv[2:])))
