"""HDFS on this machine: one NameNode and some DataNodes, each a process that can be killed; WebHDFS on."""

import getpass
import json
import shutil
import urllib.parse
import urllib.request
from pathlib import Path

from .fetching import keep
from .hadoop import HADOOP_VERSION, class_path, write_site
from .processes import Processes, free_port, wait_until

__all__ = ["Hdfs"]

_SERVER = "org.apache.hadoop.hdfs.server"
_OPENED = ("java.lang", "java.nio", "sun.nio.ch")
# No heartbeat for 3 s: read there last, write there never. So that failing over takes seconds, not minutes.
_QUICK = {
    "dfs.heartbeat.interval": 1,
    "dfs.namenode.heartbeat.recheck-interval": 1000,
    "dfs.namenode.stale.datanode.interval": 3000,
    "dfs.namenode.avoid.read.stale.datanode": "true",
    "dfs.namenode.avoid.write.stale.datanode": "true",
    "dfs.namenode.redundancy.interval.seconds": 1,
    "dfs.namenode.reconstruction.pending.timeout-sec": 3,
    "dfs.namenode.safemode.extension": 0,
    "dfs.client.block.write.replace-datanode-on-failure.policy": "NEVER",
}


class Hdfs:
    """Starts at once; what it stands for answers when the constructor returns.

    Args:
        processes: Start and end its servers.
        datanodes: How many; each file has as many replicas, at most 3.
        settings: For hdfs-site.xml, beyond what is needed here.
    """

    def __init__(
        self, processes: Processes, datanodes: int = 2, settings: dict[str, object] | None = None
    ) -> None:
        self._processes = processes
        self._folder = processes.folder / "hdfs"
        self._port, self._web_port = free_port(), free_port()
        self.configuration = self._folder / "conf"
        self._settings = {"dfs.replication": min(datanodes, 3), **(settings or {})}
        self._write_configuration()
        home = processes.java.parents[1]
        self._command = (
            processes.java,
            *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENED),
            *("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"),
            *("-cp", class_path(home, self.configuration)),
        )
        self._logged: dict[str, int] = {}
        self._copy_formatted()
        self.start_namenode(wait=False)
        for index in range(datanodes):
            self.start_datanode(index)
        self.wait_for(datanodes)

    @property
    def uri(self) -> str:
        """The file system: `hdfs://127.0.0.1:PORT`."""
        return f"hdfs://127.0.0.1:{self._port}"

    @property
    def web(self) -> str:
        """Where WebHDFS answers: `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._web_port}"

    def start_namenode(self, *, wait: bool = True) -> None:
        """Starts the NameNode, also again after it was killed."""
        self._processes.start("namenode", (*self._command, f"{_SERVER}.namenode.NameNode"))
        if wait:
            self.wait_for(0)

    def start_datanode(self, index: int) -> None:
        """Starts a DataNode; it keeps its blocks from one start to the next."""
        settings = {
            "dfs.datanode.data.dir": (self._folder / f"data{index}").as_uri(),
            "dfs.datanode.hostname": "127.0.0.1",  # where WebHDFS sends readers and writers
            "dfs.datanode.address": "127.0.0.1:0",
            "dfs.datanode.http.address": "127.0.0.1:0",
            "dfs.datanode.ipc.address": "127.0.0.1:0",
        }
        options = (part for key, value in settings.items() for part in ("-D", f"{key}={value}"))
        name = f"datanode{index}"
        log = self._processes.log(name)
        self._logged[name] = log.stat().st_size if log.exists() else 0
        self._processes.start(name, (*self._command, f"{_SERVER}.datanode.DataNode", *options))

    def kill_datanode(self, index: int) -> None:
        """Kills a DataNode with -9."""
        self._processes.kill(f"datanode{index}")

    def kill_namenode(self) -> None:
        """Kills the NameNode with -9."""
        self._processes.kill("namenode")

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to `namenode`, `datanode0`...: to stop it and let it go on, say."""
        self._processes.kill(name, number)

    def datanode_at(self, address: str) -> int:
        """Which DataNode's web server has this address, `127.0.0.1:PORT`."""
        for name, start in self._logged.items():
            with self._processes.log(name).open("rb") as log:
                log.seek(start)
                if f"Listening HTTP traffic on /{address}\n".encode() in log.read():
                    return int(name.removeprefix("datanode"))
        raise ValueError(f"no DataNode listens at {address}")

    def arrived_bytes(self, index: int) -> int:
        """How much a DataNode has of blocks that are just being written."""
        arriving = (self._folder / f"data{index}").glob("current/*/current/rbw/blk_*")
        return sum(path.stat().st_size for path in arriving if path.suffix != ".meta")

    def running(self) -> list[str]:
        """The names of those that were not killed."""
        return [name for name in self._processes.names() if name.startswith(("namenode", "datanode"))]

    def live_datanodes(self) -> int:
        """How many DataNodes the NameNode takes for alive."""
        return int(str(self._bean("FSNamesystemState")["NumLiveDataNodes"]))

    def wait_for(self, datanodes: int) -> None:
        """Waits until the NameNode is out of safe mode, and this many DataNodes (or more) have told their blocks."""

        def ready() -> bool:
            told = sum(self._has_told(name) for name in self._logged if name in self._processes.names())
            return (
                told >= datanodes
                and self.live_datanodes() >= datanodes
                and not self._bean("NameNodeInfo")["Safemode"]
            )

        wait_until(ready, self._processes, "HDFS")

    def set_safe_mode(self, on: bool) -> None:
        """Has the NameNode refuse changes, or take them again."""
        self.admin("-safemode", "enter" if on else "leave")

    def set_quota(self, path: str, names: int | None = None, size_bytes: int | None = None) -> None:
        """Limits the files and folders in a folder, itself counted; or the bytes of all replicas there."""
        limits = {"namespacequota": names, "storagespacequota": size_bytes}
        given = {key: limit for key, limit in limits.items() if limit is not None}
        query = urllib.parse.urlencode({"op": "SETQUOTA", "user.name": getpass.getuser(), **given})
        request = urllib.request.Request(f"{self.web}/webhdfs/v1{path}?{query}", method="PUT")  # noqa: S310
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    def admin(self, *arguments: object) -> None:
        """Runs `hdfs dfsadmin`."""
        self._processes.run("dfsadmin", (*self._command, "org.apache.hadoop.hdfs.tools.DFSAdmin", *arguments))

    def _write_configuration(self) -> None:
        write_site(self.configuration, "core-site", {"fs.defaultFS": self.uri})
        settings = {
            **_QUICK,
            "dfs.namenode.name.dir": (self._folder / "name").as_uri(),
            "dfs.namenode.http-address": f"127.0.0.1:{self._web_port}",
            "dfs.namenode.datanode.registration.ip-hostname-check": "false",
            "dfs.namenode.fs-limits.min-block-size": 4096,
            **self._settings,
        }
        write_site(self.configuration, "hdfs-site", settings)

    def _copy_formatted(self) -> None:
        """A NameNode starts from an empty, formatted folder; the same one does every time."""
        formatted = keep(f"hdfs-formatted-{HADOOP_VERSION}", self._format)
        shutil.copytree(formatted, self._folder / "name", dirs_exist_ok=True)

    def _format(self, folder: Path) -> None:
        options = ("-D", f"dfs.namenode.name.dir={folder.as_uri()}", "-format", "-nonInteractive", "-force")
        self._processes.run("format", (*self._command, f"{_SERVER}.namenode.NameNode", *options))

    def _has_told(self, name: str) -> bool:
        """Whether a DataNode has reported its blocks since it was started last."""
        with self._processes.log(name).open("rb") as log:
            log.seek(self._logged[name])
            return b"Successfully sent block report" in log.read()

    def _bean(self, name: str) -> dict[str, object]:
        query = f"{self.web}/jmx?qry=Hadoop:service=NameNode,name={name}"
        with urllib.request.urlopen(query, timeout=5) as answer:  # noqa: S310
            beans = json.load(answer)["beans"]
        if not beans:
            raise OSError("the NameNode is still starting")
        return dict(beans[0])
