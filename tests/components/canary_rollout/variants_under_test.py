"""Real predictors as the pods of two variants, and a matching service in Standard mode."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import requests

from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import StableSpec, View
from content_arena.components.canary_rollout.traffic.standard import Standard
from content_arena.components.shared import records
from tests.tiny_bundle import BENIGN_WORDS, TOXIC_WORDS

STABLE = Stable("1", "s3://models/content-filter/1", StableSpec("v1", 1, 3, configured_version="1").as_state())
CHALLENGER = Challenger("2", "s3://models/content-filter/2")
MODE = Standard()
CHAMPIONS, CHALLENGERS = "app=isvc.filter-v1-predictor", "app=isvc.filter-v2-predictor"
_ENGLISH = [word for word in BENIGN_WORDS if word.isascii()]


def view(ready: int = 1) -> View:
    """The challenger staged, with so many ready pods."""
    model = {"modelFormat": {"name": "content-arena"}, "storageUri": CHALLENGER.storage_uri}
    canary = {"trafficPercent": 0, "predictor": {"name": "v2", "minReplicas": 1, "model": model}}
    predictor = {"name": "v1", "minReplicas": 1, "model": model | {"storageUri": STABLE.storage_uri}}
    status = {"canaryStatuses": [{"name": "v2", "ready": ready > 0}]}
    service = {"metadata": {"name": "filter"}, "spec": {"predictor": predictor, "canary": [canary]}, "status": status}
    return View(service, None, {"filter-v1-predictor": 1, "filter-v2-predictor": ready})


def pod(name: str, port: int, ready: bool = True):
    """A pod on this machine."""
    container = {"name": "kserve-container", "ports": [{"containerPort": port}]}
    status = {"podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return {"metadata": {"name": name, "namespace": "arena"}, "spec": {"containers": [container]}, "status": status}


class Pods:
    """Lists pods; a test may remove some."""

    def __init__(self, champion=None, challenger=None):
        self.by_labels = {CHAMPIONS: [], CHALLENGERS: []}
        for labels, name, server in ((CHAMPIONS, "v1", champion), (CHALLENGERS, "v2", challenger)):
            if server is not None:
                self.by_labels[labels].append(pod(f"filter-{name}-predictor-5d4f-abcde", server.port))

    def __call__(self, labels):
        return self.by_labels.get(labels, [])


def texts(n: int, seed: int = 0) -> list[str]:
    """A third of them toxic."""
    rng = random.Random(seed)
    found = []
    for number in range(n):
        words = rng.choices(_ENGLISH, k=5)
        found.append(" ".join([rng.choice(list(TOXIC_WORDS)[:6]), *words] if number % 3 == 0 else words))
    return found


def call(server, n: int, per_request: int = 2, statuses=None) -> None:
    """Sends ``n`` users' requests, four at a time."""
    everything = texts(n * per_request)

    def ask(start):
        with requests.Session() as session:
            for number in range(start, n, 4):
                batch = everything[number * per_request :][:per_request]
                answer = session.post(f"{server.url}/v1/models/content-filter:predict", json={"instances": batch})
                if statuses is not None:
                    statuses.append(answer.status_code)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


def corpus(per_label: int = 60) -> pd.DataFrame:
    """Rows of Sample, all of the test split, all different."""
    rng, rows = random.Random(0), {}
    toxic = [word for word in TOXIC_WORDS if word.isascii()]
    while len(rows) < 2 * per_label:
        label = "toxic" if len(rows) < per_label else "benign"
        words = [*rng.choices(_ENGLISH, k=3), rng.choice(toxic if label == "toxic" else _ENGLISH)]
        text = " ".join(rng.sample(words, len(words)))
        name = hashlib.sha256(text.encode()).hexdigest()[:12]
        rows[name] = {"sample_id": name, "base_id": name, "text": text, "label": label}
    table = pd.DataFrame(rows.values())
    table["categories"] = [[] for _ in range(len(table))]
    table = table.assign(lang="en", target_ident=None, source="test", split="test")
    return records.validate(records.Sample, table)
