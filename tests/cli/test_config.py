"""Settings: read, overridden, refused, and written back to what they were."""

import dataclasses
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.config import RunConfig, load_config, replaced, to_dict, to_toml
from boneage_cli.errors import ConfigError
from boneage_cli.presets import PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_changes_sizes_only(preset):
    sizes = {
        "segmentation": {"epochs", "size", "base", "depth", "batch_size", "patience", "repeats"},
        "regression": {"epochs", "batch_size", "size", "patience"},
        "prepare": {"height", "width"},
        "phantoms": {"count", "height", "width"},
        "ingest": {"long_side"},
    }
    for section, values in PRESETS[preset].items():
        assert set(values) <= sizes[section]


@pytest.mark.parametrize("preset", PRESETS)
def test_written_settings_are_read_back_the_same(preset, tmp_path):
    config = load_config(preset=preset)
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config))
    assert load_config(path, preset=preset) == config


@given(
    seed=st.integers(0, 2**31),
    limit=st.floats(0.1, 40),
    share=st.floats(0, 1),
    mask=st.booleans(),
)
def test_settings_survive_toml(seed, limit, share, mask):
    changes = {
        "seed": seed,
        "prepare": {"clip_limit": limit, "mask": mask},
        "ingest": {"max_failures": share},
    }
    config = replaced(RunConfig(), changes, where="test")
    assert to_dict(config) == to_dict(replaced(RunConfig(), tomllib.loads(to_toml(config)), where="test"))
    assert config.prepare.clip_limit == limit


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("seed = 3\n[prepare]\nheight = 96\nwidth = 80\n")
    config = load_config(path, preset="quick", changes={"prepare": {"width": 64}})
    assert (config.seed, config.prepare.height, config.prepare.width) == (3, 96, 64)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "'colour'"),
        ("[prepare]\nclip = 1.0", "'clip'"),
        ("seed = 'x'", "'x'"),
        ("seed = true", "True"),
        ("[prepare]\nclahe = 1", "1"),
        ("[prepare]\nclip_limit = nan", "nan"),
        ("prepare = 3", "3"),
        ("seed = ", "not TOML"),
        ("seed = " + "9" * 30, "99, where a int"),
        ("[prepare]\nclip_limit = " + "9" * 400, "99, where a float"),
        ("[prepare]\nclip_limit = inf", "inf"),
        ("seed = " + "9" * 5000, "not TOML"),
        ("seed = " + "[" * 5000, "nested too deeply"),
        ("# é".encode("latin-1"), "not written in UTF-8"),
        (b"#" * (1 << 20) + b"\n", "at most"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, text, said):
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_a_missing_file_and_an_unknown_preset_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="quick, standard"):
        load_config(preset="huge")


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config().seed = 1
