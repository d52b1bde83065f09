"""Starting and ending: ports, bundles, warm-up, signals; what is imported."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from content_arena.components.predictor.arguments import ServeOptions
from content_arena.components.predictor.server import main, serve
from content_arena.components.predictor.sources import FolderSource
from content_arena.components.shared.errors import BundleError, InputError

from .conftest import MODULE, clean_environment, running

ANY_PORT = ServeOptions(port=0)


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", MODULE, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment() | environment,
        check=False,
    )


def assert_one_line(result, *words):
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in result.stderr


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_refused_before_anything_is_loaded(tmp_path, taken_port):
    # The bundle does not exist, and the error names the port: so the port is checked first.
    result = run("--model_dir", str(tmp_path / "none"), "--host", "127.0.0.1", "--port", str(taken_port))
    assert_one_line(result, str(taken_port), "in use")
    assert result.stderr.count("\n") == 1
    with pytest.raises(InputError, match=f"port {taken_port} .* in use"):
        serve(FolderSource(tmp_path / "none"), ServeOptions(port=taken_port))


def test_nothing_is_announced_that_is_not_served(tiny_bundle, make_bundle, taken_port, monkeypatch):
    announced = []
    with pytest.raises(InputError, match="in use"):
        serve(FolderSource(tiny_bundle.path), ServeOptions(port=taken_port), announce=announced.append)
    with pytest.raises(BundleError, match="warm-up"):
        serve(FolderSource(make_bundle(bias=float("nan")).path), ANY_PORT, announce=announced.append)
    assert announced == []
    monkeypatch.setattr("content_arena.components.predictor.rest.server.FilterServer.run", lambda *_: None)
    serve(FolderSource(tiny_bundle.path), ANY_PORT, announce=announced.append)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", announced[0].url)
    assert (announced[0].version, announced[0].threshold) == (f"sha-{tiny_bundle.spec.digest[:12]}", 0.5)


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_no_port_at_all(port, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--port", port])
    assert stop.value.code == 2


def test_no_bundle(tmp_path):
    assert_one_line(run("--model_dir", str(tmp_path), "--port", "0"), "no bundle", str(tmp_path))


def test_changed_bundle(make_bundle):
    bundle = make_bundle()
    bundle.model_path.write_bytes(bundle.model_path.read_bytes() + b"\0")
    with pytest.raises(BundleError, match=r"model\.onnx .* was changed"):
        serve(FolderSource(bundle.path), ANY_PORT)


def test_a_bad_warm_up_never_serves(make_bundle):
    result = run("--model_dir", str(make_bundle(bias=float("nan")).path), "--port", "0")
    assert_one_line(result, "warm-up", "no probabilities")
    assert "serving" not in result.stderr


def test_version_comes_from_the_environment(make_bundle, monkeypatch):
    bundle = make_bundle()
    monkeypatch.setenv("CONTENT_ARENA_MODEL_VERSION", "from-environment")
    served = {}
    monkeypatch.setattr(f"{MODULE}.serve", lambda source, options, **_: served.update(source=source, port=options.port))
    assert main(["--model_dir", str(bundle.path)]) == 0
    assert served == {"source": FolderSource(bundle.path, "from-environment"), "port": 8080}
    main(["--model_version", "named"])
    assert served["source"] == FolderSource(Path("/mnt/models"), "named")


def test_sigterm_finishes_the_request_in_flight_and_exits_0(tiny_bundle):
    # Arguments that kserve's own parser would refuse.
    with running(tiny_bundle.path, "--threads", "1") as server:
        body = json.dumps({"instances": ["you idiot"]}).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            head = (
                "POST /v1/models/content-filter:predict HTTP/1.1\r\nHost: x\r\n"
                f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            client.sendall(head.encode())
            # The server asks for the body: it has begun to read the request.
            assert client.recv(1024).startswith(b"HTTP/1.1 100")
            server.process.send_signal(signal.SIGTERM)
            wait_until_closed(server.port)
            client.sendall(body)
            answer = b""
            while chunk := client.recv(65_536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200")
        predictions = json.loads(answer.split(b"\r\n\r\n", 1)[1])["predictions"]
        assert predictions[0]["is_toxic"]
        assert predictions[0]["model_version"] == f"sha-{tiny_bundle.spec.digest[:12]}"
        assert server.process.wait(10) == 0


def wait_until_closed(port):
    """Connects until a connection is refused: the server has begun to shut down."""
    for _ in range(10_000):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                pass
        except ConnectionError:
            return
    raise AssertionError("the port stays open")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_leaves_at_once(tiny_bundle, number):
    with running(tiny_bundle.path) as server:
        with socket.create_connection(("127.0.0.1", server.port)):  # an idle connection holds nothing up
            server.process.send_signal(number)
            assert server.process.wait(5) == 0
        assert "Traceback" not in server.log


def test_our_arguments_are_none_of_kserves(tiny_bundle):
    program = (
        "import sys; sys.argv = ['arena', '--workers', 'none', '--protocol', 'x']\n"
        "from content_arena.components.predictor.arguments import ServeOptions\n"
        "from content_arena.components.predictor.server import serve\n"
        "from content_arena.components.predictor.sources import source_of\n"
        "import content_arena.components.shared.errors as e\n"
        "try: serve(source_of(sys.stdin.readline().strip()), ServeOptions(port=0))\n"
        "except e.BundleError as error: print(error)\n"
        "assert 'kserve' in sys.modules and sys.argv[1:] == ['--workers', 'none', '--protocol', 'x']\n"
        "assert 'kubernetes' not in sys.modules, 'it takes memory, and a server does not need it'\n"
        "from kserve.api.kserve_client import KServeClient\n"
        "assert KServeClient.__module__ == 'kserve.api.kserve_client'"
    )
    result = subprocess.run([sys.executable, "-c", program], input="/none", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "no bundle" in result.stdout


def test_serving_imports_no_training_libraries():
    program = (
        "import sys\n"
        "from content_arena.components.predictor import metrics, model, protocol, rest, server, startup\n"
        "print([name for name in ('torch', 'transformers', 'mlflow', 'pandera') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_shared_modules_it_needs_import_no_tables():
    names = ("scoring.filter", "text.canonical", "text.hangul", "errors", "limits")
    program = (
        "import sys, importlib\n"
        f"for name in {names}: importlib.import_module('content_arena.components.shared.' + name)\n"
        "import content_arena.components.predictor.server\n"
        "print([name for name in ('torch', 'transformers', 'mlflow', 'pandas', 'kserve') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
