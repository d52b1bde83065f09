"""Where a bundle may come from, and that no other one is served than was meant."""

import json
import sys
from pathlib import Path

import pytest

from content_arena.components.predictor.sources import (
    FolderSource,
    Located,
    RegistrySource,
    checked_sha256,
    opened,
    source_of,
)
from content_arena.components.shared.errors import BundleError, InputError, RegistryError
from content_arena.components.shared.scoring import bundle as bundles

from .test_server import assert_one_line, run

OTHER = "0" * 64


@pytest.mark.parametrize(
    "address",
    [
        "s3://models/content-filter/7/", "s3://elsewhere/x", "runs:/1234/model", "models:/other@champion",
        "models:/x/1", "models:/content-filter", "models:/content-filter@", "models:/content-filter/latest",
        "http://x/y", "gs://x/y", "file:///mnt/models", "models:/content-filter/7/../8",
    ],
)  # fmt: skip
def test_an_address_of_anything_else_is_refused(address):
    with pytest.raises(InputError, match="is not served: name a folder, models:/content-filter@ALIAS"):
        source_of(address)


def test_folders_and_versions_of_the_registry():
    assert source_of("/mnt/models", "7", "champion") == FolderSource(Path("/mnt/models"), "7", "champion")
    assert source_of("models/content-filter").path == Path("models/content-filter")
    assert source_of("models:/content-filter@champion").name == "champion"
    assert source_of("models:/content-filter/12").name == "12"


def test_a_folder_is_read_where_its_link_points_to_now(tmp_path, tiny_bundle):
    link = tmp_path / "link"
    link.symlink_to(tiny_bundle.path)
    located = FolderSource(link).locate()
    assert located.fetch() == tiny_bundle.path.resolve()


def test_the_digest_is_compared(tiny_bundle):
    digest = tiny_bundle.spec.digest
    located = Located(lambda: tiny_bundle.path, recorded=digest)
    assert opened(located, None).spec == opened(located, digest).spec == tiny_bundle.spec
    for found, expected, who in (
        (located, OTHER, "expected"),
        (Located(located.fetch, recorded=OTHER), None, "recorded"),
    ):
        with pytest.raises(BundleError, match=f"{digest}, {who}.* is {OTHER}"):
            opened(found, expected)


def test_a_bundle_of_an_earlier_release_is_known_by_the_file_that_it_has(make_bundle):
    bundle = make_bundle()
    manifest = bundle.path / bundles.MANIFEST
    fields = json.loads(manifest.read_text())
    del fields["ngram_version"]
    manifest.write_text(json.dumps(fields))
    found = bundles.load(bundle.path)
    assert found.spec.digest == bundle.spec.digest
    assert len(found.digests) == 2
    for digest in found.digests:
        opened(Located(lambda: bundle.path), digest)


@pytest.mark.parametrize("text", ["abc", "g" * 64, "0" * 63, "0" * 65])
def test_what_is_no_sha256_is_refused(text):
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        checked_sha256(text)


def test_a_sha256_may_be_written_in_capitals():
    assert checked_sha256(" " + "A" * 64) == "a" * 64
    assert checked_sha256(None) is checked_sha256("") is None


def test_a_server_with_another_bundle_ends_at_once(tiny_bundle):
    result = run("--model_dir", str(tiny_bundle.path), "--port", "0", CONTENT_ARENA_EXPECTED_SHA256=OTHER)
    assert_one_line(result, tiny_bundle.spec.digest, OTHER)
    assert "serving" not in result.stderr


class FakeRegistry:
    """Two versions, of which one was changed after it was registered."""

    def __init__(self, path, digest):
        self.path, self.digest = path, digest

    def resolve(self, name):
        if name not in ("champion", "7"):
            raise RegistryError(f"the registry has no {name}")
        return 7

    def get(self, number):
        return self

    def download(self, number):
        return self.path


def test_a_version_of_the_registry_has_its_number_its_alias_and_its_digest(tiny_bundle):
    registry = FakeRegistry(tiny_bundle.path, tiny_bundle.spec.digest)
    located = RegistrySource("champion", lambda: registry).locate()
    assert (located.version, located.alias, located.recorded) == ("7", "champion", tiny_bundle.spec.digest)
    assert opened(located, None).path == tiny_bundle.path
    assert RegistrySource("7", lambda: registry).locate().alias is None
    with pytest.raises(BundleError, match="recorded in the registry is " + OTHER):
        opened(RegistrySource("7", lambda: FakeRegistry(tiny_bundle.path, OTHER)).locate(), None)


def test_without_mlflow_a_folder_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "content_arena.components.registry.registry", None)
    with pytest.raises(InputError, match="needs MLflow"):
        source_of("models:/content-filter@champion").locate()
