"""Files at an address: fetched, and never with credentials in it."""

import functools
import gzip
import http.server

import pytest

from content_arena.components.corpus_preparation.tables.sources import check_address
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.storage.store import Store
from tests.background import serve
from tests.components.corpus_preparation.tables.written_tables import read, refusal


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class Encoding(Quiet):
    """Calls a .gz file an encoding of the file without the suffix, as some web servers do."""

    def end_headers(self):
        if self.path.endswith("?encoded"):
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "my data.csv").write_text("text,label\none,1\ntwo,0\n")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(b"text,label\none,1\ntwo,0\n"))
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Encoding, directory=str(tmp_path))
    ) as running:
        serve(running)
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def test_reads_a_file_of_a_web_server(server):
    found = read(f"{server}/my%20data.csv?version=2")
    assert found.table["label"].tolist() == ["toxic", "benign"]
    assert "answers 404" in refusal(f"{server}/none.csv")
    assert "names no file" in refusal(f"{server}/")


@pytest.mark.parametrize("query", ["", "?encoded"])
def test_a_packed_file_is_unpacked_once_whether_or_not_the_server_calls_it_an_encoding(server, query):
    assert read(f"{server}/packed.csv.gz{query}").table["label"].tolist() == ["toxic", "benign"]


def test_a_server_that_is_not_there_is_named():
    message = refusal("http://127.0.0.1:9/data.csv")
    assert "http://127.0.0.1:9/data.csv cannot be fetched (ConnectionError)" in message


def test_reads_a_file_of_object_storage(monkeypatch):
    class Client:
        def fget_object(self, bucket, key, path):
            assert (bucket, key) == ("data", "folder/a.jsonl")
            with open(path, "w") as file:
                file.write('{"text": "a", "label": 1}')

    monkeypatch.setattr(Store, "from_environment", lambda: Store(Client()))
    assert read("s3://data/folder/a.jsonl").table["text"].tolist() == ["a"]


@pytest.mark.parametrize(
    "address",
    [
        "https://user:hunter2@example.com/data.csv",
        "https://hunter2@example.com/data.csv",
        "s3://key:hunter2@bucket/data.csv",
        "https://example.com/data.csv?token=hunter2",
        "https://example.com/data.csv?X-Amz-Signature=hunter2&part=1",
        "https://example.com/data.csv?a=b&sig=hunter2",
        "postgresql://user:hunter2@host/data",
    ],
)
def test_an_address_with_credentials_is_refused_and_not_repeated(address):
    with pytest.raises(InputError) as caught:
        check_address(address)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("address", ["https://example.com/data.csv?version=2", "s3://bucket/data.csv", "hf://a/b"])
def test_other_addresses_are_taken(address):
    check_address(address)
