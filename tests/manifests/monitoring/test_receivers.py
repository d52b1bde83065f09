"""A real Prometheus and a real Alertmanager bring alerts to the receivers of our AlertmanagerConfig."""

import contextlib
import copy
import shutil
import socket
import subprocess
import time

import pytest
import yaml

from tests.conftest import is_ok

from .conftest import scraping
from .expressions import FOLDER, groups, rules
from .receivers import configuration, receiving

CONFIG = yaml.safe_load((FOLDER / "receivers/alertmanager-config.yaml").read_text(encoding="utf-8"))
#: One of each severity; both fire where nothing is scraped.
CRITICAL, WARNING = "ContentArenaServiceNotReady", "ContentArenaExporterDown"


def needed():
    """Programs that are missing here."""
    return [
        name for name in ("prometheus", "promtool", "prometheus-alertmanager", "amtool") if shutil.which(name) is None
    ]


pytestmark = pytest.mark.skipif(
    bool(needed()), reason=f"needs {', '.join(needed())}: apt-get install prometheus prometheus-alertmanager"
)


@pytest.fixture(scope="module")
def received(tmp_path_factory):
    """Receivers, behind an Alertmanager that a Prometheus tells of two alerts."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with receiving() as received, contextlib.ExitStack() as stack:
        port = stack.enter_context(_alertmanager(folder, _near(received)))
        (folder / "prometheus").mkdir()
        to = {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}]}
        stack.enter_context(scraping(folder / "prometheus", rules=_at_once(), alerting=to))
        yield received


def _near(received):
    """The configuration with receivers on this machine, and without its waits."""
    config = copy.deepcopy(CONFIG)
    for receiver in config["spec"]["receivers"]:
        for mail in receiver.get("emailConfigs", []):
            mail |= {"smarthost": f"127.0.0.1:{received.smtp_port}", "requireTLS": False}
            # This mail server asks for no password, and Alertmanager sends none in the clear.
            mail.pop("authUsername"), mail.pop("authPassword")
    config["spec"]["route"] |= {"groupWait": "1s"}
    base = f"http://127.0.0.1:{received.http_port}"
    secret = {"slack-url": f"{base}/slack", "webhook-url": f"{base}/webhook", "smtp-password": "x"}
    return configuration(config, secret)


def _at_once():
    """Two alerts as they are, but for their patience, and with a metric that makes the first fire."""
    found = {name: copy.deepcopy(rules("alert")[name]) | {"for": "0s"} for name in (CRITICAL, WARNING)}
    found[CRITICAL]["expr"] = 'label_replace(vector(0), "namespace", "content-arena", "", "")'
    return {"groups": [{"name": "now", "rules": list(found.values())}]}


@contextlib.contextmanager
def _alertmanager(folder, config):
    path = folder / "alertmanager.yaml"
    path.write_text(yaml.safe_dump(config))
    checked = subprocess.run(["amtool", "check-config", str(path)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["prometheus-alertmanager", f"--config.file={path}", f"--storage.path={folder / 'data'}",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 60
        while not is_ok(f"http://127.0.0.1:{port}/-/ready"):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def test_a_critical_alert_and_a_warning_reach_their_receivers(received):
    posts = [received.posts.get(timeout=90) for _ in range(3)]
    (hook,) = [body for path, body in posts if path == "/webhook"]
    (alert,) = hook["alerts"]
    assert (alert["labels"]["alertname"], alert["labels"]["severity"], hook["status"]) == (
        CRITICAL,
        "critical",
        "firing",
    )
    assert alert["annotations"]["runbook"].endswith(f"#{CRITICAL.lower()}")
    slack = [body["attachments"][0] for path, body in posts if path == "/slack"]
    summaries = {rules("alert")[name]["annotations"]["summary"] for name in (CRITICAL, WARNING)}
    assert {message["title"] for message in slack} == {f"FIRING: {summary}" for summary in summaries}
    assert {message["color"] for message in slack} == {"danger", "warning"}
    assert all("runbook.md#" in message["text"] for message in slack)
    mail = received.mails.get(timeout=90)
    assert "To: arena@example.com" in mail
    assert WARNING in mail
    assert received.mails.empty()


def test_every_secret_that_it_names_is_in_the_readme():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for key in ("slack-url", "webhook-url", "smtp-password"):
        assert f"--from-literal={key}=" in text


def test_its_inhibitions_name_alerts_that_there_are():
    named = {
        name for rule in CONFIG["spec"]["inhibitRules"] for match in (*rule["sourceMatch"], *rule["targetMatch"])
        for name in match["value"].split("|")
    }  # fmt: skip
    assert named <= {rule["alert"] for group in groups()["groups"] for rule in group["rules"] if "alert" in rule}
