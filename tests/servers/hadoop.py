"""Hadoop's servers: some jars of Maven Central beside the client jars inside pyspark, of the same version.

`hadoop.sha512` pins them. Ivy, which lies among pyspark's jars, knows Maven Central by itself.
"""

import shutil
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path

from .certificates import PASSWORD, write_trust_store
from .fetching import keep, verify

__all__ = ["HADOOP_VERSION", "class_path", "pyspark_folder", "write_site"]

HADOOP_VERSION = "3.5.0"
_PINNED = Path(__file__).with_name("hadoop.sha512")
_IVY = """<ivy-module version="2.0"><info organisation="boneage" module="servers"/>
<configurations><conf name="default"/></configurations>
<dependencies>
{}
</dependencies></ivy-module>
"""
_JAR = '<dependency org="{}" name="{}" rev="{}" transitive="false" conf="default->master"/>'
_LOG4J = """rootLogger.level = info
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{ISO8601} %p %c{2}: %m%n
"""
# What the client libraries and the servers log with, by the beginnings of the jars' names.
_BESIDE = ("hadoop-client-runtime-", "jcl-over-slf4j-", "log4j-", "slf4j-api-")


def class_path(java_home: Path, configuration: Path) -> str:
    """The class path of Hadoop's servers and tools; fetches the servers (66 MB) if they are not in the cache.

    Args:
        java_home: Of the Java that fetches.
        configuration: The folder of the site files; comes first.
    """
    jars = pyspark_folder() / "jars"
    folder = keep(f"hadoop-{HADOOP_VERSION}", lambda folder: _fill(folder, java_home, jars))
    beside = sorted(jar for jar in jars.glob("*.jar") if jar.name.startswith(_BESIDE))
    fetched = sorted(folder.glob("*.jar"))
    return ":".join(map(str, (configuration, folder / "servers", folder / "client", *fetched, *beside)))


def pyspark_folder() -> Path:
    """Where pip put pyspark: SPARK_HOME."""
    spec = find_spec("pyspark")
    assert spec is not None, "the extra spark is not installed"
    assert spec.origin is not None
    return Path(spec.origin).parent


def write_site(folder: Path, name: str, settings: dict[str, object]) -> None:
    """Writes a site file of Hadoop's, and beside it what its log lines look like."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (
        f"<property><name>{key}</name><value>{value}</value></property>" for key, value in settings.items()
    )
    text = "\n".join(("<configuration>", *lines, "</configuration>\n"))
    (folder / f"{name}.xml").write_text(text)
    (folder / "log4j2.properties").write_text(_LOG4J)


def _fill(folder: Path, java_home: Path, jars: Path) -> None:
    _fetch(folder, java_home, jars)
    # Unpacked: a server that looks for its web pages reads through the whole of each jar, which takes seconds.
    servers = folder / "hadoop-client-minicluster.jar"
    client = jars / f"hadoop-client-api-{HADOOP_VERSION}.jar"
    for jar, name in ((servers, "servers"), (client, "client")):
        with zipfile.ZipFile(jar) as packed:
            packed.extractall(folder / name)
    servers.unlink()


def _fetch(folder: Path, java_home: Path, jars: Path) -> None:
    (ivy,) = jars.glob("ivy-*.jar")
    pinned = dict(reversed(line.split()) for line in _PINNED.read_text().splitlines())
    wanted = {folder / f"{name.split(':')[1]}.jar": sha512 for name, sha512 in pinned.items()}
    order, store = folder / "ivy.xml", folder / "trust.jks"
    order.write_text(_IVY.format("\n".join(_JAR.format(*name.split(":")) for name in pinned)))
    write_trust_store(store)
    trust = (f"-Djavax.net.ssl.trustStore={store}", f"-Djavax.net.ssl.trustStorePassword={PASSWORD}")
    places = ("-cache", folder / "ivy", "-ivy", order, "-retrieve", folder / "[artifact].[ext]")
    for trusted in ((), trust):  # what Java trusts by itself, then what this machine does
        command = (java_home / "bin" / "java", *trusted, "-jar", ivy, *places)
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if all(jar.exists() for jar in wanted):
            break
    else:
        raise FileNotFoundError(
            f"Ivy could not fetch {', '.join(pinned)}:\n{done.stdout[-3000:]}{done.stderr}"
        )
    for jar, sha512 in wanted.items():
        verify(jar, sha512)
    shutil.rmtree(folder / "ivy")
