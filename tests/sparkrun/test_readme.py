"""The README's programs, run as a reader would."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "sparkrun" / "README.md"


def programs():
    blocks = re.findall(r"```python\n(# (\w+\.py)\n.*?)```", README.read_text(), re.DOTALL)
    return {name: code for code, name in blocks}


def test_the_readme_has_two_programs():
    assert list(programs()) == ["words.py", "curve.py"]
    assert README.read_text().count("```python") == 2


def test_the_example_of_texts_counts_words(tmp_path):
    (tmp_path / "words.py").write_text(programs()["words.py"])
    texts = {
        "fox": "the quick brown fox jumps over the lazy dog",
        "empty": "",
        **{f"t{n}": "a word" for n in range(5)},
    }
    (tmp_path / "texts").mkdir()
    for name, text in texts.items():
        (tmp_path / "texts" / f"{name}.txt").write_text(text)
    command = [sys.executable, "words.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "6 counted, 1 set aside"
    assert "fox 7 quick" in done.stdout
    assert "empty was set aside: ValueError: no words in it" in done.stdout
