"""Hosts recorded as folders of files, as /proc, /sys and the cgroups have them."""

from __future__ import annotations

from pathlib import Path

STATUS = (
    "Name:\tpython\nUid:\t1000\t1000\t1000\t1000\nThreads:\t4\nCapEff:\t0000000000800000\n"
    "Cpus_allowed_list:\t0-7\n"
)
V2_MOUNTS = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1_MOUNTS = (
    "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
)
HOST = {
    "proc/self/status": STATUS,
    "proc/self/limits": "Max locked memory         8388608              8388608              bytes     \n",
    "proc/meminfo": "MemTotal:       16777216 kB\n",
    "proc/sys/kernel/sched_rt_runtime_us": "950000\n",
    "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
    "proc/sys/vm/swappiness": "60\n",
    "proc/sys/net/core/busy_poll": "0\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/devices/system/cpu/isolated": "6-7\n",
    **{
        f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": f"{cpu % 4},{cpu % 4 + 4}\n"
        for cpu in range(8)
    },
    "sys/devices/system/node/node0/cpulist": "0-1,4-5\n",
    "sys/devices/system/node/node1/cpulist": "2-3,6-7\n",
    "sys/class/net/eth0/device/numa_node": "1\n",
    "sys/class/net/veth0/device/numa_node": "-1\n",
    "dev/cpu_dma_latency": "",
}
# A pod of Kubernetes under systemd: the container's limit, that of its pod, and none above.
V2_POD = {
    "proc/self/mountinfo": V2_MOUNTS,
    "proc/self/cgroup": "0::/kubepods.slice/pod1.slice/cri-abc.scope\n",
    "sys/fs/cgroup/kubepods.slice/cpu.max": "max 100000\n",
    "sys/fs/cgroup/kubepods.slice/memory.max": "max\n",
    "sys/fs/cgroup/kubepods.slice/pod1.slice/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/kubepods.slice/pod1.slice/memory.max": "1073741824\n",
    "sys/fs/cgroup/kubepods.slice/pod1.slice/cri-abc.scope/cpu.max": "200000 100000\n",
    "sys/fs/cgroup/kubepods.slice/pod1.slice/cri-abc.scope/memory.max": "2147483648\n",
    "sys/fs/cgroup/kubepods.slice/pod1.slice/cri-abc.scope/memory.high": "805306368\n",
}
# Docker with a private cgroup namespace: the container sees its own cgroup as the root.
V2_CONTAINER = {
    "proc/self/mountinfo": V2_MOUNTS,
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cpu.max": "50000 100000\n",
    "sys/fs/cgroup/memory.max": "536870912\n",
    "sys/fs/cgroup/memory.high": "max\n",
}
V1 = {
    "proc/self/mountinfo": V1_MOUNTS,
    "proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/system.slice\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "300000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "4294967296\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
}


def record(root: Path, *parts: dict[str, str]) -> Path:
    """Write a host's files below a folder."""
    for part in (HOST, *parts):
        for name, text in part.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return root
