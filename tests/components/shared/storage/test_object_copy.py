"""The command line of the copy between S3 servers; the copying itself is tested on a real server (tests/manifests)."""

import pytest

from content_arena.components.shared.storage.object_copy import main

TARGET = {"S3_ENDPOINT_URL": "http://s3:9000", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
SOURCE = {f"SOURCE_{name}": value for name, value in TARGET.items()}


@pytest.mark.parametrize(
    ("environment", "names_the_source", "missing"),
    [
        (TARGET, True, "S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
        (SOURCE, False, "S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"),
        (TARGET | SOURCE | {"SOURCE_AWS_ACCESS_KEY_ID": ""}, True, "AWS_ACCESS_KEY_ID"),
    ],
    ids=["no source", "no target", "no key of the source"],
)
def test_it_says_which_servers_variables_are_missing(capsys, environment, names_the_source, missing):
    assert main(["models"], environment) == 2
    said = capsys.readouterr().err
    assert f"object storage needs {missing} in the environment" in said
    assert ("the source (SOURCE_ before each name)" in said) is names_the_source
    assert said.count("\n") == 1
