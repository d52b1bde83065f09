"""Taking over another bundle while requests come: none is lost, and each is answered by one bundle."""

import asyncio
import gc
import itertools
import os
import pty
import signal
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
from fastapi import FastAPI
from fastapi.testclient import TestClient

from content_arena.components.predictor.limits import Limits
from content_arena.components.predictor.model import ContentFilterModel, Query
from content_arena.components.predictor.reload import Loader, Reloader, ReloadError, ReloadingError
from content_arena.components.predictor.rest import administration
from content_arena.components.predictor.scoring.engine import Engine
from content_arena.components.predictor.scoring.scheduler import ClosingError
from content_arena.components.predictor.sources import FolderSource
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.tiny_bundle import make_tiny_bundle

from .conftest import running
from .test_limits import wait_for
from .test_model import HeldFilter

LOAD = "/v2/repository/models/content-filter/load"
TEXTS = ["you idiot", "nice day", "you are an idiot " * 50]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Two bundles, by version, with different scores."""
    folder = tmp_path_factory.mktemp("bundles")
    made = [make_tiny_bundle(folder / name, bias=bias) for name, bias in (("one", -2.0), ("two", -1.0))]
    return {f"sha-{bundle.spec.digest[:12]}": bundle for bundle in made}


@pytest.fixture(scope="module")
def scores(bundles):
    found = {}
    for version, bundle in bundles.items():
        content_filter = ContentFilter(bundle, threads=1)
        found[version] = content_filter.score(TEXTS)
        content_filter.close()
    return found


class Link:
    """A link to one bundle's folder, which can be pointed to another's at once."""

    def __init__(self, path, to):
        self.path = path
        path.symlink_to(to)

    def point(self, to):
        new = self.path.with_name("new")
        new.symlink_to(to)
        os.replace(new, self.path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bundles):
    return Link(tmp_path_factory.mktemp("served") / "current", next(iter(bundles.values())).path)


@pytest.fixture(scope="module")
def started(folder):
    with running(folder.path, "--threads", "2") as server:
        yield server


@pytest.fixture
def server(started, folder, bundles):
    """The server, with the first bundle."""
    folder.point(next(iter(bundles.values())).path)
    assert load(started).ok
    return started


def load(server, name="content-filter", **headers):
    return requests.post(f"{server.url}/v2/repository/models/{name}/load", headers=headers, timeout=30)


def counted(server):
    """Requests that were scored, by the names of their counters."""
    names = ("content_arena_api_requests_total", 'status="200"')
    samples = server.metrics().items()
    return {
        name: value
        for name, value in samples
        if all(part in name for part in names) and (":predict" in name or "/infer" in name)
    }


def served(server):
    return requests.get(f"{server.url}/openapi.json", timeout=30).json()["info"]["version"]


def test_no_request_is_lost_and_each_answer_is_of_one_bundle(server, folder, bundles, scores):
    finished, before = threading.Event(), counted(server)

    def ask(v2):
        answers = []
        with requests.Session() as session:
            while not finished.is_set():
                if v2:
                    tensor = {"name": "t", "shape": [len(TEXTS)], "datatype": "BYTES", "data": TEXTS}
                    answer = session.post(
                        f"{server.url}/v2/models/content-filter/infer", json={"inputs": [tensor]}, timeout=30
                    )
                    assert answer.status_code == 200, answer.text
                    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
                    answers += [(version, outputs["toxic_score"]) for version in set(outputs["model_version"])]
                    continue
                answer = session.post(
                    f"{server.url}/v1/models/content-filter:predict", json={"instances": TEXTS}, timeout=30
                )
                assert answer.status_code == 200, answer.text
                predictions = answer.json()["predictions"]
                given = [prediction["toxic_score"] for prediction in predictions]
                answers += [(version, given) for version in {one["model_version"] for one in predictions}]
        return answers

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number % 2 == 0) for number in range(8)]
        for turn, (version, bundle) in enumerate(itertools.islice(itertools.cycle(bundles.items()), 1, 5)):
            folder.point(bundle.path)
            if turn % 2:
                answer = load(server)
                assert (answer.status_code, answer.json()["model_version"]) == (200, version)
            else:
                server.process.send_signal(signal.SIGHUP)
            wait_for(lambda version=version: served(server) == version)
        finished.set()
        answers = [answer for future in asking for answer in future.result()]
    assert {version for version, _ in answers} == set(bundles)
    for version, given in answers:
        np.testing.assert_allclose(given, scores[version], atol=1e-6)
    after = counted(server)
    for version in bundles:
        n_counted = sum(value - before.get(name, 0) for name, value in after.items() if version in name)
        assert n_counted == sum(answered == version for answered, _ in answers)
    now = [name for name in server.metrics() if name.startswith("content_arena_model_version")]
    assert now == [f'content_arena_model_version{{alias="none",model_version="{next(iter(bundles))}"}}']


def test_a_broken_bundle_leaves_the_one_that_serves_and_the_reason_is_told(server, folder, make_bundle, scores):
    before = served(server)
    n_lines = server.log.count("was not loaded")
    broken, unlike = make_bundle("broken", bias=float("nan")), make_bundle("changed")
    unlike.model_path.write_bytes(b"")
    for path, reason in ((broken.path, "warm-up"), (unlike.path, "was changed"), (broken.path.parent / "x", "no bund")):
        folder.point(path)
        answer = load(server)
        assert answer.status_code == 422
        assert f"version {before} still serves" in answer.json()["error"]
        assert reason in answer.json()["error"]
        # Each of both logs a line, and the first one may not be read yet when the answer is there.
        n_lines += 2
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda n_lines=n_lines: server.log.count("was not loaded") == n_lines)
        assert reason in server.log
        predictions = server.predict(json={"instances": TEXTS}).json()["predictions"]
        np.testing.assert_allclose([one["toxic_score"] for one in predictions], scores[before], atol=1e-6)
    assert "Traceback" not in server.log


def test_who_may_ask_and_for_what(server):
    before = served(server)
    assert load(server).json() == {"name": "content-filter", "load": True, "model_version": before}
    assert "serves already" in server.log
    assert load(server, "other").status_code == 404
    unload = f"{server.url}/v2/repository/models/content-filter/unload"
    assert requests.post(unload, timeout=30).status_code == 404
    # Through a proxy on the server's own machine, as Knative has one in every pod.
    refused = load(server, **{"X-Forwarded-For": "203.0.113.7"})
    assert (refused.status_code, list(refused.json())) == (403, ["error"])


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True), ("127.8.0.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("10.1.2.3", False), ("::ffff:10.1.2.3", False), ("203.0.113.7", False), ("testclient", False), (None, False),
    ],
)  # fmt: skip
def test_which_clients_are_on_the_servers_own_machine(host, is_local):
    assert administration.is_local(host, {}) is is_local
    assert not administration.is_local(host, {"forwarded": "for=203.0.113.7"})


def test_with_api_keys_their_layer_decides():
    class Loaded:
        async def reload(self):
            return "8"

    keyed, open_to_all = FastAPI(), FastAPI()
    administration.register(keyed, Loaded(), keyed=True)
    administration.register(open_to_all, Loaded(), keyed=False)
    assert TestClient(keyed).post(LOAD).status_code == 200
    with pytest.raises(administration.ForbiddenError):
        TestClient(open_to_all).post(LOAD)


def test_requests_stay_with_the_bundle_that_they_began_with(tiny_bundle, make_bundle):
    held = Engine(HeldFilter(tiny_bundle, version="1", threads=1))
    model = ContentFilterModel(held)
    model.ready = True
    query = Query(["you idiot"], None)

    async def scenario():
        first = asyncio.create_task(model.predict(query))
        await asyncio.to_thread(held._filter.at_work.wait, 20)
        model.replace(Engine(ContentFilter(make_bundle(bias=9.0), version="2", threads=1)))
        second = await model.predict(query)
        assert not first.done()
        held._filter.let_go.set()
        return [answer["predictions"][0]["model_version"] for answer in (await first, second)]

    assert asyncio.run(scenario()) == ["1", "2"]
    # The one before is closed once its last request has left.
    wait_for(lambda: not held._scheduler._threads[0].is_alive())
    model.stop()


def test_the_next_bundle_is_loaded_when_the_last_request_has_left_the_one_before(tiny_bundle, make_bundle):
    held = Engine(HeldFilter(tiny_bundle, version="1", threads=1))
    model = ContentFilterModel(held)
    model.ready = True
    at_load = []

    def load(serving):
        at_load.append((serving.version, held._scheduler._threads[0].is_alive()))
        return Engine(ContentFilter(make_bundle("three", bias=1.0), version="3", threads=1))

    async def scenario():
        first = asyncio.create_task(model.predict(Query(["you idiot"], None)))
        await asyncio.to_thread(held._filter.at_work.wait, 20)
        model.replace(Engine(ContentFilter(make_bundle(bias=9.0), version="2", threads=1)))
        reloader = Reloader(model, load)
        reloading = asyncio.create_task(reloader.reload())
        await asyncio.sleep(0.2)
        assert not at_load
        with pytest.raises(ReloadingError):
            await reloader.reload()
        held._filter.let_go.set()
        await first
        return await reloading

    assert asyncio.run(scenario()) == "3"
    assert at_load == [("2", False)]
    model.stop()


def test_a_request_that_asks_twice_keeps_one_bundle(tiny_bundle, make_bundle):
    model = ContentFilterModel(Engine(ContentFilter(tiny_bundle, version="1", threads=1)))
    model.ready = True
    following = Engine(ContentFilter(make_bundle(attributes={"INSULT": 0.5}), version="2", threads=1))

    async def request():
        with model.one_bundle():
            model.replace(following)
            answer = await model.predict(Query(["you idiot"], None, wants_attributes=True))
            assert (model.version, dict(model.attributes)) == ("1", {})
            return answer["predictions"][0]

    async def scenario():
        first = await asyncio.create_task(request())
        assert (first["model_version"], first["attributes"]) == ("1", {})
        assert (model.version, list(model.attributes)) == ("2", ["INSULT"])

    asyncio.run(scenario())
    model.stop()


@pytest.fixture
def model(tiny_bundle):
    model = ContentFilterModel(Engine(ContentFilter(tiny_bundle, threads=1)))
    yield model
    model.stop()


def test_one_is_loaded_at_a_time_and_a_signal_meanwhile_has_its_turn(model):
    at_work, let_go, calls = threading.Semaphore(0), threading.Event(), []

    def load(serving):
        calls.append(serving)
        at_work.release()
        assert let_go.wait(20)

    async def scenario():
        reloader = Reloader(model, load)
        reloader.request()  # Before the server serves: remembered.
        assert not calls
        reloader.start()
        await asyncio.to_thread(at_work.acquire, timeout=20)
        with pytest.raises(ReloadingError):
            await reloader.reload()
        for _ in range(3):
            reloader.request()
        let_go.set()
        await asyncio.to_thread(at_work.acquire, timeout=20)
        while reloader._loading is not None:
            await asyncio.sleep(0.001)
        assert await reloader.reload() == model.version

    asyncio.run(scenario())
    assert len(calls) == 3


def test_a_signal_that_interrupts_a_request_reloads_after_the_bundle_that_serves_and_not_after_the_requests(
    model, make_bundle
):
    following, found = Engine(ContentFilter(make_bundle(bias=1.0), threads=1)), []

    async def scenario():
        reloader = Reloader(model, found.append)
        reloader.start()
        with model.one_bundle():
            model.replace(following)
            reloader.request()
        while reloader._loading is not None or not found:
            await asyncio.sleep(0.001)
        reloader.close()
        return reloader

    reloader = asyncio.run(scenario())
    assert found == [following]
    reloader.request()  # The loop is closed: nothing happens.


def test_an_error_of_any_kind_leaves_the_old_one_and_the_end_of_the_server_ends_a_load(model):
    let_go = threading.Event()

    async def scenario():
        with pytest.raises(ReloadError, match=f"version {model.version} still serves: ZeroDivisionError"):
            await Reloader(model, lambda _: 1 / 0).reload()
        reloader = Reloader(model, lambda _: let_go.wait(20) and None)
        waiting = asyncio.create_task(reloader.reload())
        await asyncio.sleep(0)
        reloader.close()
        for ended in (waiting, reloader.reload()):
            with pytest.raises(ClosingError):
                await ended
        let_go.set()

    asyncio.run(scenario())


def test_the_memory_of_a_bundle_is_free_when_it_ends(tiny_bundle, make_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    model, freed = ContentFilterModel(Engine(content_filter)), weakref.ref(content_filter)
    del content_filter

    async def scenario():
        model.load()
        for texts in (["you idiot"], ["nice day"] * 40):
            await model.predict(Query(texts, None))
        following = ContentFilter(make_bundle(bias=9.0), threads=1)
        assert await Reloader(model, lambda _: Engine(following)).reload() == following.version

    gc.collect()
    gc.disable()  # What only a garbage collection frees may stay for hours.
    try:
        asyncio.run(scenario())
        wait_for(lambda: freed() is None)
    finally:
        gc.enable()
    model.stop()


def test_the_same_bundle_is_not_loaded_twice(tiny_bundle, make_bundle):
    loader = Loader(FolderSource(tiny_bundle.path), Limits(), threads=1)
    engine = loader.first()
    assert loader.next_after(engine) is None
    other = Loader(FolderSource(make_bundle(bias=1.0).path), Limits(), threads=1).next_after(engine)
    assert other.version != engine.version
    for made in (engine, other):
        made.stop()


def started_in_a_terminal(bundle, on_hang_up):
    """A server as the first process of a terminal of its own; its process id and the terminal's other end."""
    program = (
        "import sys; from content_arena.components.predictor.server import main; "
        "sys.exit(main(['--model_dir', sys.argv[1], '--host', '127.0.0.1', '--port', '0']))"
    )
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGHUP, on_hang_up)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execv(sys.executable, [sys.executable, "-c", program, str(bundle.path)])
    # A server that is started later must not hold this terminal open.
    os.set_inheritable(terminal, False)
    return child, terminal


def test_whoever_closes_the_terminal_of_a_server_ends_it_unless_nohup_started_it(tiny_bundle):
    started = [started_in_a_terminal(tiny_bundle, handler) for handler in (signal.SIG_DFL, signal.SIG_IGN)]
    (ended, _), (serving, _) = started
    running = {ended, serving}
    try:
        for _, terminal in started:
            shown = b""
            while b"startup complete" not in shown:
                shown += os.read(terminal, 4_096)
            os.close(terminal)
        assert os.waitstatus_to_exitcode(os.waitpid(ended, 0)[1]) == 0
        running.remove(ended)
        assert os.waitpid(serving, os.WNOHANG) == (0, 0)
        os.kill(serving, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(serving, 0)[1]) == 0
        running.remove(serving)
    finally:
        for process in running:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
