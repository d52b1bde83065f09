"""Object storage on a real S3 server."""

import subprocess
import sys
import uuid

import pytest

from content_arena.components.corpus_versions import places
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.storage import store as stores


@pytest.fixture
def store(s3):
    return stores.Store.from_environment()


@pytest.fixture
def root(store):
    bucket = f"b{uuid.uuid4().hex[:12]}"
    store.make_buckets([bucket])
    return f"s3://{bucket}/content-filter"


def test_a_bundle_comes_back_whole(store, root, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/1")
    assert store.download(f"{root}/1", tmp_path / "models").spec.digest == tiny_bundle.spec.digest


def test_a_pointer_names_the_version_that_is_downloaded(store, root, make_bundle, tmp_path):
    for version in (1, 2):
        store.publish(make_bundle(f"v{version}", weights_seed=version), f"{root}/{version}")
        store.point(f"{root}/champion", str(version))
        assert store.resolve(f"{root}/champion") == f"{root}/{version}"
    found = store.download(f"{root}/champion", tmp_path / "models")
    assert found.spec.digest == bundles.load(tmp_path / "v2").spec.digest


def test_the_files_of_a_folder_are_listed_and_replaced(store, root, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/outputs/train/challenger")
    (tmp_path / "corpus").write_text("old")
    store.put_file(f"{root}/outputs/prepare/corpus", tmp_path / "corpus")
    assert f"{root}/outputs/train/challenger/{bundles.MANIFEST}" in store.files(f"{root}/outputs")
    # Whoever looks for texts gets the files that are no model's.
    (copy,) = places.objects(f"{root}/outputs")
    assert copy.name == f"{root}/outputs/prepare/corpus"
    (tmp_path / "corpus").write_text("new")
    copy.replace(tmp_path / "corpus")
    (tmp_path / "fetched").mkdir()
    assert copy.fetch(tmp_path / "fetched").read_text() == "new"


def test_making_buckets_again_changes_nothing(store, root, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/1")
    store.make_buckets([root.split("/")[2]])
    assert store.download(f"{root}/1", tmp_path / "models").path.is_dir()


def test_a_half_uploaded_bundle_is_refused_and_leaves_nothing(store, root, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/1")
    bucket, _, prefix = root.removeprefix("s3://").partition("/")
    store._client.remove_object(bucket, f"{prefix}/1/{bundles.MODEL}")
    with pytest.raises(bundles.BundleError, match=r"misses model\.onnx"):
        store.download(f"{root}/1", tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_missing_bundle_is_refused(store, root, tmp_path):
    with pytest.raises(stores.StoreError, match="there is no bundle at"):
        store.download(f"{root}/9", tmp_path / "models")


def test_a_folder_in_use_is_not_touched(store, root, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/1")
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(bundles.BundleError, match="not empty"):
        store.download(f"{root}/1", tmp_path)
    assert (tmp_path / "mine").read_text() == "keep"


def test_a_wrong_key_is_refused_in_the_servers_words(s3, root, tiny_bundle):
    stranger = stores.Store.from_environment({**s3, "AWS_ACCESS_KEY_ID": "nobody"})
    with pytest.raises(stores.StoreError, match="InvalidAccessKeyId"):
        stranger.publish(tiny_bundle, f"{root}/1")
    with pytest.raises(stores.StoreError, match="refused bucket"):
        stranger.make_buckets(["another"], patience=5)


def test_a_server_that_is_not_there_is_waited_for_and_then_named():
    nowhere = stores.Store.from_environment(
        {"S3_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    )
    with pytest.raises(stores.StoreError, match="does not answer for bucket models"):
        nowhere.make_buckets(["models"], patience=0)


@pytest.mark.parametrize("url", ["", "minio:9000", "http://minio:9000/bucket"])
def test_an_endpoint_that_is_no_url_is_refused(url):
    with pytest.raises(InputError, match="S3_ENDPOINT_URL"):
        stores.Store.from_environment({"S3_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})


@pytest.mark.parametrize("uri", ["models/1", "s3://models", "http://models/1", "s3:///1"])
def test_an_address_that_is_none_is_refused(store, uri, tmp_path):
    with pytest.raises(InputError, match="no address in object storage"):
        store.download(uri, tmp_path / "models")


def test_the_command_line_of_init_containers(s3, root, store, tiny_bundle, tmp_path):
    store.publish(tiny_bundle, f"{root}/1")
    store.point(f"{root}/champion", "1")
    module = [sys.executable, "-m", "content_arena.components.shared.storage.store"]
    done = subprocess.run([*module, "download", f"{root}/champion", str(tmp_path / "models")], capture_output=True)
    assert done.returncode == 0
    assert bundles.load(tmp_path / "models").spec.digest == tiny_bundle.spec.digest
    missing = subprocess.run([*module, "download", f"{root}/7", str(tmp_path / "none")], capture_output=True, text=True)
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: there is no bundle")
    assert len(missing.stderr.splitlines()) == 1
