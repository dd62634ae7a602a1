"""The page needs nothing beside it, believes nothing that it shows, and says what was computed."""

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from boneage_cli.config import Acceptance
from boneage_cli.evaluation import evaluate
from boneage_cli.labels import write_table
from boneage_cli.markers import mark_done
from boneage_cli.montage import LONG_SIDE
from boneage_cli.outcomes import read_outcomes, write_outcomes
from boneage_cli.report import write
from boneage_cli.scores import age_figures, finite, mask_figures
from boneage_imaging.codec import decode

from .conftest import BLANK, EVIL, copy_run, into

VOID = {"meta", "link", "img", "br"}
REFERENCES = ("src", "href", "xlink:href", "data", "poster", "action", "srcset")


class Page(HTMLParser):
    """The tags and the text of a page; complains where tags are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def report(run):
    evaluate(into(run, "evaluate"))
    mark_done(run.workspace.stage("evaluate"), "by hand", {"seconds": 2.5})
    summary = write(into(run, "report"))
    folder = Path(run.workspace.stage("report"))
    return summary, (folder / "report.html").read_text(encoding="utf-8"), folder


@pytest.fixture(scope="module")
def reported(prepared_run, tmp_path_factory):
    """The run by hand with its page, and what the stage returned; not to be written into."""
    run = copy_run(prepared_run, tmp_path_factory.mktemp("report"))
    return run, report(run)


@pytest.fixture(scope="module")
def written(reported):
    """The stage's summary, the page's text and the manifest."""
    summary, text, folder = reported[1]
    return summary, text, json.loads((folder / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def page(written):
    return Page(written[1])


def test_the_page_needs_nothing_beside_it(written, page):
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "base", "form"})
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in REFERENCES:
            assert (attributes.get(name) or "data:").startswith(("data:", "#")), (tag, attributes)
    assert not re.search(r"url\((?!#)", written[1])
    assert "@import" not in written[1]
    (policy,) = [tag["content"] for tag in page.all("meta") if tag.get("http-equiv")]
    assert policy.startswith("default-src 'none'")


def test_every_link_leads_to_a_place_on_the_page(page):
    places = {attributes.get("id") for _, attributes in page.tags}
    links = [attributes["href"] for attributes in page.all("a")]
    assert len(links) >= 5
    assert {link.removeprefix("#") for link in links} <= places


def test_no_name_stands_twice(page):
    names = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(names) == len(set(names))
    told = {attributes.get("aria-labelledby") for _, attributes in page.tags} - {None}
    assert told <= set(names)


def test_every_picture_can_be_seen_and_is_described(written, page):
    pictures = page.all("img")
    assert len(pictures) == written[0]["pictures"] > 20
    for picture in pictures:
        head, data = picture["src"].split(",")
        assert head in ("data:image/jpeg;base64", "data:image/png;base64")
        assert max(decode(base64.b64decode(data)).shape) <= LONG_SIDE
        assert picture["alt"]
    for drawing in page.all("svg"):
        assert drawing["aria-label"]


def test_ids_and_paths_are_shown_and_not_believed(written, page):
    assert EVIL in page.text
    assert EVIL not in written[1]
    assert "<b onclick" not in written[1]
    assert "<script>" in page.text
    assert f"{BLANK}: " in page.text


def test_it_reads_in_light_and_dark_and_on_a_phone(written, page):
    assert "prefers-color-scheme: dark" in written[1]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert not re.search(r"#0[1-7]0[1-7]0[1-7]", written[1])
    assert "var(--male)" in written[1]


def test_it_says_what_was_computed(written, page):
    _, _, manifest = written
    metrics = manifest["metrics"]
    months = (
        metrics["test"]["mad"],
        metrics["test"]["rmse"],
        metrics["floors"]["median_guess"]["mad"],
        metrics["out_of_fold"]["mad"],
        metrics["training"]["rmse"],
        metrics["out_of_fold"]["mad_sd_of_folds"],
        metrics["test"]["mean_absolute_deviation"]["answers"],
    )
    for value in months:
        assert f"{value:.1f}" in page.text
    assert f"{metrics['segmentation']['test']['jaccard_mean']:.3f}" in page.text
    for text in ("4.2", "62.091", "unverified", "mean of six readings", "Not a medical device", "tensorflow"):
        assert text in page.text
    assert "clip_limit = 2.0" in page.text
    assert "set aside" in page.text
    assert "broken" in page.text


def test_it_shows_all_plots_and_steps(written, page):
    plots = [tag for tag in page.all("svg") if tag.get("class") == "plot"]
    assert written[0]["plots"] == len(plots) == 11
    for caption in ("as taken", "CLAHE", "mask given", "masked", "turned, the age network's input"):
        assert caption in page.text


def test_the_manifest_names_what_the_figures_rest_on(written):
    _, _, manifest = written
    stages = manifest["stages"]
    assert manifest["configuration"]["prepare"]["clip_limit"] == 2.0
    assert manifest["versions"]["boneage-cli"]
    assert stages["evaluate"]["seconds"] == 2.5
    written_by = {name: stage["output"].get("digests", {}) for name, stage in stages.items()}
    assert set(written_by["evaluate"]) == {"predictions.csv", "masks.csv", "metrics.json"}
    assert "model/model.onnx" in written_by["train-regression"]
    for stage in stages.values():
        for name, digest in stage["inputs"].items():
            assert digest == stages[name]["output"]["digest"]
    assert set(stages["evaluate"]["inputs"]) == set(stages) - {"evaluate"}
    assert re.fullmatch("[0-9a-f]{64}", manifest["code"]["sha256"])
    assert manifest["machine"]["cores"] >= 1


def test_the_manifest_is_what_the_readme_says(written):
    _, _, manifest = written
    readme = (Path(__file__).parents[3] / "packages" / "cli" / "README.md").read_text(encoding="utf-8")
    table = readme.split("| field | holds |")[1].split("\n\n")[0]
    fields = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])]
    assert sorted(fields) == sorted(manifest)


def test_the_manifest_tells_the_headline_and_the_counts(written):
    _, _, manifest = written
    metrics, told = manifest["metrics"], manifest["headline"]
    assert told["mad_months"] == {
        "value": metrics["test"]["mad"],
        "interval": metrics["test"]["mad_interval"],
        "count": metrics["test"]["count"],
    }
    assert told["jaccard"]["value"] == metrics["segmentation"]["test"]["jaccard_mean"]
    assert manifest["counts"] == metrics["data"]
    assert [row["case_id"] for row in manifest["set_aside"]] == ["broken"]
    assert (manifest["format"], manifest["notice"]) == ("boneage-run/1", "Not a medical device.")


def test_the_manifest_and_the_page_bring_the_model_cards(written, page):
    _, _, manifest = written
    for name in ("segmentation", "regression"):
        card = manifest["models"][name]
        assert card["kind"] == name
        assert card["digest"][:16] in page.text
        assert card["licence"] in page.text
    assert "CC BY-NC" in manifest["models"]["segmentation"]["licence"]
    assert "None stated" in manifest["models"]["regression"]["licence"]
    assert any("Weak" in text for text in manifest["models"]["segmentation"]["remarks"])


def test_the_same_again_is_the_same_page(reported, tmp_path):
    run = copy_run(reported[0], tmp_path)
    folder = Path(run.workspace.stage("report"))
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    write(into(run, "report"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


def test_what_falls_short_stands_on_top(new_run):
    strictest = replace(new_run.config, acceptance=Acceptance(jaccard=1.0, mad_share=0.0))
    _, text, _ = report(replace(new_run, config=strictest, phantoms=True))
    told = Page(text).text
    assert (
        told.index("falls short")
        < told.index("The mean Jaccard index")
        < told.index("Mean absolute difference")
    )
    assert "says nothing about children" in told


def test_a_run_without_labels_and_outlines_has_a_page_too(reported, tmp_path):
    run = copy_run(reported[0], tmp_path)
    folder = Path(run.workspace.stage("evaluate"))
    rows = [
        replace(row, truth_months=None, out_of_fold_months=None)
        for row in read_outcomes(folder / "predictions.csv")
    ]
    write_outcomes(folder / "predictions.csv", rows)
    write_table(folder / "masks.csv", ("id", "part", "jaccard", "dice"), [])
    metrics = json.loads((folder / "metrics.json").read_bytes())
    metrics |= finite({**age_figures(rows), "segmentation": mask_figures([])})
    metrics["intervals"]["level"] = None
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (Path(run.workspace.stage("train-regression")) / "history.json").unlink()
    summary = write(into(run, "report"))
    told = Page((Path(run.workspace.stage("report")) / "report.html").read_text(encoding="utf-8")).text
    assert summary["plots"] == 0
    assert "No held-out case has an outline" in told
    assert not re.search(r"\bNone\b(?! stated)", told)
    assert "nan" not in told.split()
