"""CPUs of a container, by fake file trees of both versions of cgroups."""

import pytest

from content_arena.components.shared.scoring.cpus import available_cpus


def write(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return root


V2 = {"proc/self/cgroup": "0::/\n"}
V2_ON_A_NODE = {"proc/self/cgroup": "0::/kubepods/pod1/container2\n"}
V1 = {"proc/self/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n1:cpuset:/\n0::/\n"}


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 32),
        (V2 | {"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        (V2 | {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (V2 | {"sys/fs/cgroup/cpu.max": "max 100000\n"}, 32),
        (V2 | {"sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 32),
        # The pod's quota binds the container, which has none of its own.
        (
            V2_ON_A_NODE
            | {
                "sys/fs/cgroup/kubepods/cpu.max": "800000 100000\n",
                "sys/fs/cgroup/kubepods/pod1/cpu.max": "400000 100000\n",
                "sys/fs/cgroup/kubepods/pod1/container2/cpu.max": "max 100000\n",
            },
            4,
        ),
        # A hybrid node: version 2 is mounted, the CPU controller is version 1's.
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1\n",
               "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n"}, 32),
        (V1 | {"sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "200000\n",
               "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n"}, 2),
        # Inside the container its own group is the root of the mount.
        (V1 | {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n",
               "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 3),
        # Nothing that cannot be read may stop the server.
        (V2 | {"sys/fs/cgroup/cpu.max": "nonsense"}, 32),
        (V2 | {"sys/fs/cgroup/cpu.max": "100000 0"}, 32),
        ({"proc/self/cgroup": "nonsense\n\n::\n", "sys/fs/cgroup/cpu.max": "x y\n"}, 32),
    ],
)  # fmt: skip
def test_a_quota_comes_before_the_mask(tmp_path, files, cpus):
    assert available_cpus(write(tmp_path, files), mask=32) == cpus


def test_the_mask_holds_where_it_is_tighter(tmp_path):
    root = write(tmp_path, V2 | {"sys/fs/cgroup/cpu.max": "400000 100000\n"})
    assert available_cpus(root, mask=2) == 2


def test_this_process_has_a_cpu():
    assert available_cpus() >= 1
