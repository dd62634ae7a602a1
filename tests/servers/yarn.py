"""YARN on this machine: a ResourceManager and a NodeManager, each a process; beside an HDFS."""

import json
import urllib.request

from .hadoop import class_path, write_site
from .hdfs import Hdfs
from .keeper import MARK
from .processes import Processes, free_port, wait_until

__all__ = ["Yarn"]

_SERVER = "org.apache.hadoop.yarn.server"
_OPENED = ("java.lang", "java.nio", "sun.nio.ch", "java.util", "java.net")
_ADDRESSES = ("address", "scheduler.address", "resource-tracker.address", "admin.address", "webapp.address")


class Yarn:
    """Starts at once; the NodeManager has registered when the constructor returns.

    Args:
        processes: Start and end its servers.
        hdfs: Its file system; the site files of both are in its configuration folder.
        memory_mb: Of the NodeManager, for containers.
        cores: Of the NodeManager.
    """

    def __init__(self, processes: Processes, hdfs: Hdfs, memory_mb: int = 6144, cores: int = 4) -> None:
        self._processes = processes
        self.configuration = hdfs.configuration
        ports = {f"yarn.resourcemanager.{name}": f"127.0.0.1:{free_port()}" for name in _ADDRESSES}
        self.web = f"http://{ports['yarn.resourcemanager.webapp.address']}"
        folder = processes.folder / "yarn"
        settings: dict[str, object] = {
            "yarn.resourcemanager.hostname": "127.0.0.1",
            "yarn.resourcemanager.bind-host": "127.0.0.1",
            **ports,
            "yarn.nodemanager.hostname": "127.0.0.1",
            "yarn.nodemanager.address": "127.0.0.1:0",
            "yarn.nodemanager.localizer.address": "127.0.0.1:0",
            "yarn.nodemanager.webapp.address": "127.0.0.1:0",
            "yarn.nodemanager.collector-service.address": "127.0.0.1:0",
            "yarn.nodemanager.local-dirs": folder / "local",
            "yarn.nodemanager.log-dirs": folder / "logs",
            "yarn.nodemanager.resource.memory-mb": memory_mb,
            "yarn.nodemanager.resource.cpu-vcores": cores,
            "yarn.nodemanager.vmem-check-enabled": "false",
            "yarn.nodemanager.delete.debug-delay-sec": 3600,
            "yarn.nodemanager.disk-health-checker.max-disk-utilization-per-disk-percentage": 100,
            # So that containers end with their servers, and find Java.
            "yarn.nodemanager.env-whitelist": f"JAVA_HOME,LANG,{MARK}",
            "yarn.scheduler.minimum-allocation-mb": 128,
            "yarn.timeline-service.enabled": "false",
        }
        write_site(self.configuration, "yarn-site", settings)
        root = "yarn.scheduler.capacity.root"
        queues = {f"{root}.queues": "default", f"{root}.default.capacity": 100}
        share = {"yarn.scheduler.capacity.maximum-am-resource-percent": 1}
        write_site(self.configuration, "capacity-scheduler", {**queues, **share})
        command = (
            processes.java,
            *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
            *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"),
            *("-cp", class_path(processes.java.parents[1], self.configuration)),
        )
        processes.start("resourcemanager", (*command, f"{_SERVER}.resourcemanager.ResourceManager"))
        processes.start("nodemanager", (*command, f"{_SERVER}.nodemanager.NodeManager"))
        wait_until(lambda: self.live_nodes() >= 1, processes, "YARN")

    def live_nodes(self) -> int:
        """How many NodeManagers run."""
        with urllib.request.urlopen(f"{self.web}/ws/v1/cluster/metrics", timeout=5) as answer:  # noqa: S310
            return int(json.load(answer)["clusterMetrics"]["activeNodes"])
