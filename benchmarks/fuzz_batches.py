"""Folders of damaged files, and the commands that have to live with them: all decided by a seed and a number."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fuzz_corpus import outlines, pictures, tables
from mutations import damage_bytes, damage_text, mutate

from boneage_cli.models import find_regression

GOOD = ("good-png.png", "good-tiff.tif")
SETTINGS = """
seed = 3
licence = "none"
[ingest]
long_side = 512
max_failures = 0.2
[split]
folds = 2
[segmentation]
epochs = 1
size = [64, 64]
[prepare]
clahe = true
clip_limit = 2.5
[regression]
epochs = 1
"""


@dataclass
class Batch:
    """Damaged inputs in a folder of their own, and the commands on them.

    Attributes:
        kind: What was damaged.
        folder: Holds `data`, which no command may change, `out`, and the empty `cwd` and `tmp`.
        inputs: How many damaged files there are.
        commands: Arguments of the command, as text.
        pictures: How many files a folder command has to account for, by the command's index.
    """

    kind: str
    folder: Path
    inputs: int
    commands: list[list[str]] = field(default_factory=list)
    pictures: dict[int, int] = field(default_factory=dict)

    def add(self, *arguments: Any, pictures: int = 0) -> None:
        """Adds a command; of a folder with so many pictures it must say what became of each."""
        if pictures:
            self.pictures[len(self.commands)] = pictures
        self.commands.append([str(argument) for argument in arguments])


def make_batch(seed: int, number: int, count: int, kind: str, folder: Path) -> Batch:
    """Writes one batch, anew if it is there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("data", "out", "cwd", "tmp"):
        (folder / name).mkdir(parents=True)
    batch = Batch(kind, folder, count)
    _MAKERS[kind](batch, random.Random(f"{seed} {kind} {number}"))  # noqa: S311 - to be repeated, not secret
    return batch


def _pictures(batch: Batch, rng: random.Random) -> None:
    images, sound = batch.folder / "data" / "images", pictures()
    images.mkdir()
    names, contents = sorted(sound), list(sound.values())
    for index in range(batch.inputs):
        name = rng.choice(names)
        suffix = Path(rng.choice(names) if rng.random() < 0.1 else name).suffix
        (images / f"{index:03d}-{Path(name).stem}{suffix}").write_bytes(
            mutate(name, sound[name], contents, rng)
        )
    for name, source in zip(GOOD, ("larger.png", "deep.tif"), strict=True):
        (images / name).write_bytes(sound[source])
    add_picture_commands(batch)


def add_picture_commands(batch: Batch) -> None:
    """The commands on `data/images`, whatever is in it."""
    images, out = batch.folder / "data" / "images", batch.folder / "out"
    total = len(list(images.iterdir()))
    one = ("--workers", 1, "--json")
    batch.add("check", batch.folder / "data", "--json", pictures=total)
    batch.add("preprocess", images, out / "resize", "--mode", "resize", *one, pictures=total)
    batch.add("preprocess", images, out / "contrast", "--mode", "contrast", *one, pictures=total)
    batch.add("predict", images, "--sex", "F", "--out", out / "ages.csv", "--json", pictures=total)


def _sound_images(folder: Path, count: int) -> list[str]:
    folder.mkdir(parents=True)
    ids = [f"case-{index}" for index in range(count)]
    for case_id in ids:
        (folder / f"{case_id}.png").write_bytes(_PICTURE)
    return ids


def _tables(batch: Batch, rng: random.Random) -> None:
    data, out = batch.folder / "data", batch.folder / "out"
    ids = _sound_images(data / "images", 3)
    sound = tables(ids)
    for index in range(batch.inputs):
        table = data / f"table-{index:03d}.csv"
        table.write_bytes(damage_text(sound[rng.choice(sorted(sound))], rng))
        batch.add("check", data, "--labels", table, "--json")
        batch.add("predict", data / "images" / "case-1.png", "--cases", table, "--out", out / f"{index}.csv")
        batch.add("evaluate", table, table)


def _outlines(batch: Batch, rng: random.Random) -> None:
    data, out = batch.folder / "data", batch.folder / "out"
    ids = _sound_images(data / "images", batch.inputs)
    (data / "outlines").mkdir()
    sound = outlines()
    for case_id in ids:
        suffix = rng.choice([*sorted(sound), ".json"])
        damaged = (
            damage_text(sound[suffix].decode(), rng)
            if suffix == ".json"
            else mutate(suffix, sound[suffix], list(sound.values()), rng)
        )
        (data / "outlines" / f"{case_id}{suffix}").write_bytes(damaged)
    total, images = len(ids), data / "images"
    batch.add("check", data, "--json", pictures=total)
    batch.add("evaluate-masks", images, data / "outlines")
    batch.add("evaluate-masks", data / "outlines", data / "outlines")
    masks = ("--masks", data / "outlines", "--workers", 1, "--json")
    batch.add("align", images, out / "upright", *masks, pictures=total)


def _models(batch: Batch, rng: random.Random) -> None:
    data, out = batch.folder / "data", batch.folder / "out"
    _sound_images(data / "images", 1)
    shipped = find_regression(None)
    for index in range(batch.inputs):
        model = data / f"model-{index:03d}"
        model.mkdir()
        for path in shipped.iterdir():
            (model / path.name).symlink_to(path)
        (model / "model.json").unlink()
        text = (shipped / "model.json").read_text()
        damaged = damage_text(text, rng) if rng.random() < 0.4 else _other_facts(text, rng)
        (model / "model.json").write_bytes(damaged)
        batch.add("predict", data / "images" / "case-0.png", "--model", model)
        batch.add("segment", data / "images", out / f"{index}", "--model", model, "--workers", 1)


def _other_facts(text: str, rng: random.Random) -> bytes:
    """A model.json with another fact somewhere, and a digest that agrees, as if somebody had written it so."""
    facts = json.loads(text)
    place: Any = facts
    for _ in range(rng.choice((1, 2, 3))):
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.3:
            break
        place = place[key]
    else:
        key = rng.choice(list(place) if isinstance(place, dict) else range(len(place)))
    if rng.random() < 0.3 and isinstance(place, dict):
        del place[key]
    else:
        place[key] = rng.choice(
            (None, "", "x", -1, 0, 1e300, float("nan"), 10**30, [], {}, [[]], True, ["a"])
        )
    facts.pop("digest", None)
    facts["digest"] = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return json.dumps(facts).encode()


def _settings(batch: Batch, rng: random.Random) -> None:
    data, out = batch.folder / "data", batch.folder / "out"
    for index in range(batch.inputs):
        path = data / f"settings-{index:03d}.toml"
        path.write_bytes(damage_text(SETTINGS, rng) if rng.random() < 0.9 else damage_bytes(b"", [], rng))
        # It ends before anything is computed: no stage is done that the report could tell of.
        batch.add("run", "--config", path, "--only", "report", "--out", out / f"run-{index}")


_PICTURE = pictures()["larger.png"]
_MAKERS: dict[str, Callable[[Batch, random.Random], None]] = {
    "pictures": _pictures,
    "tables": _tables,
    "outlines": _outlines,
    "model folders": _models,
    "settings": _settings,
}
