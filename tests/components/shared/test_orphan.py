"""A stage ends when the process that reads its log is gone, however long it is silent."""

import subprocess
import sys

STAGE = """
import time
from content_arena.components.shared.stage import log, stage

@stage("train_qlora")
def silent():
    log("train_qlora", "loading")
    time.sleep(600)

silent()
"""


def test_a_silent_stage_ends_with_the_reader_of_its_log():
    process = subprocess.Popen([sys.executable, "-c", STAGE], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "[train_qlora] loading\n"
    process.stdout.close()
    assert process.wait(timeout=60) != 0


def test_a_stage_whose_log_is_a_file_goes_on(tmp_path):
    with open(tmp_path / "log.txt", "w") as log:
        finished = subprocess.run([sys.executable, "-c", STAGE.replace("600", "0.1")], stdout=log, check=False)
    assert finished.returncode == 0
