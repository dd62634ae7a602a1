"""The README's programs, and what the first of them works on."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "packages" / "sparkrun" / "README.md"


def programs():
    blocks = re.findall(r"```python\n(# (\w+\.py)\n.*?)```", README.read_text(), re.DOTALL)
    return {name: code for code, name in blocks}


def write_texts(folder):
    texts = {
        "fox": "the quick brown fox jumps over the lazy dog",
        "empty": "",
        **{f"t{n}": "a word" for n in range(5)},
    }
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
