"""Finds the packages; everything else is in setup.cfg.

The import name is ``content_arena``, and the folders are ``components`` and ``pipelines``: ``find:`` in setup.cfg has
no way to put a prefix before the names it finds.
"""

from setuptools import find_packages, setup

setup(packages=[f"content_arena.{name}" for name in find_packages(include=["components*", "pipelines*"])])
