"""The README's programs, run as a reader would."""

import subprocess
import sys

from .readme import README, programs, write_texts


def test_the_readme_has_four_programs():
    assert list(programs()) == ["words.py", "cluster.py", "curve.py", "together.py"]
    assert README.read_text().count("```python") == 4


def test_the_example_of_texts_counts_words(tmp_path):
    (tmp_path / "words.py").write_text(programs()["words.py"])
    write_texts(tmp_path / "texts")
    command = [sys.executable, "words.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "6 counted, 1 set aside"
    assert "fox 7 quick" in done.stdout
    assert "empty was set aside: ValueError: no words in it" in done.stdout
