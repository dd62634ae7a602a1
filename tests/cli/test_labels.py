"""Tables of labels: what people have is read, and what cannot be read is refused with file and line."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boneage_cli.errors import DataError
from boneage_cli.labels import Label, parse_sex, read_labels, read_sexes, scan_labels, write_table

HEADER = ("id", "boneage", "male")


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


EXPECTED = {"1377": Label("1377", 180.0, False), "1378": Label("1378", 12.0, True)}


@pytest.mark.parametrize(
    "text",
    [
        "id,boneage,male\n1377,180,False\n1378,12,True\n",
        "Image ID,male,Bone Age (months)\n1377,FALSE,180\n1378,TRUE,12\n",
        "Case ID,Sex,Ground truth bone age (months)\n1377,F,180\n1378,M,12\n",
        "id;boneage;male\r\n1377;180,0;False\r\n1378;12,0;True\r\n",
        "id\tboneage\tmale\n1377\t180\tFalse\n1378\t12\tTrue\n",
        "\ufeffid,boneage,male\n1377,180,False\n1378,12,True\n",
        '"id", "boneage","male"\n"1377",180,False\n 1378 ,12.0, True \n',
        "\n\nid,boneage,male\n\n1377,180,0\n,,\n1378,12,1\n\n",
        "id,boneage,male\r1377,180,f\r1378,12,t\r",
        "id,boneage,male\n1377,180,False,,\n1378,1.2e1,True",
        "ID,Bone  Age,Gender\n1377,180,female\n1378,12,boy\n",
        'id,boneage,male,comment\n1377,180,False,"two\nlines"\n1378,12,True,\n',
    ],
)
def test_all_usual_tables_say_the_same(tmp_path: Path, text: str) -> None:
    assert read_labels(write(tmp_path, text)) == EXPECTED


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_every_usual_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "id;boneage;male;Größe\nMüller;100;True;1\n".encode(encoding))
    assert read_labels(path) == {"Müller": Label("Müller", 100.0, True)}


@pytest.mark.parametrize("nothing", ["", " ", "nan", "NaN", "NA", "None"])
def test_what_is_not_said_is_none(tmp_path: Path, nothing: str) -> None:
    path = write(tmp_path, f"id,boneage,male\na,{nothing},{nothing}\n")
    assert read_labels(path) == {"a": Label("a", None, None)}


def test_without_a_column_of_the_sex_it_is_unknown(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "id,boneage\na,7\n")) == {"a": Label("a", 7.0, None)}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("boneage,male\n1,True\n", 1, "where id,boneage,male would do"),
        ("id,male\na,True\n", 1, "where id,boneage,male would do"),
        ("id,boneage,male\na,1,True\nb,-1,True\n", 3, "received '-1' for the age"),
        ("id,boneage,male\na,301,True\n", 2, "received '301' for the age"),
        ("id,boneage,male\na,1e99,True\n", 2, "received '1e99' for the age"),
        ("id,boneage,male\na,inf,True\n", 2, "received 'inf' for the age"),
        ("id,boneage,male\na,1_0,True\n", 2, "received '1_0' for the age"),
        ("id,boneage,male\na,\u0661\u0662,True\n", 2, "for the age"),
        ("id,boneage,male\na,ten,True\n", 2, "received 'ten' for the age"),
        ("id,boneage,male\na,1,perhaps\n", 2, "received 'perhaps' for the sex"),
        ("id,boneage,sex\na,1,1\n", 2, "where M or F would do"),
        ("id,boneage,male\na,1\n", 2, "received 2 fields, where the header has 3"),
        ("id,boneage,male\na,1,True,7\n", 2, "received 4 fields, where the header has 3"),
        ("id,boneage,male\n,1,True\n", 2, "the id is missing"),
        ("id,boneage,male\na,1,True\n\na,1,True\n", 4, "the case 'a' stands in line 2 already"),
        ('id,boneage,male\na,1,True\nb,"1,True\nc,1,True\n', 3, "never closed"),
        ('id,boneage,male,note\na,1,True,"x\nb,1,True,y\nc,1,True,\n', 2, "never closed"),
        ("id,boneage,male,boneage\na,1,True,2\n", 1, "columns boneage and boneage, where one"),
        ("id,Case ID,boneage\na,b,1\n", 1, "columns id and case id, where one"),
        ("id,boneage,male,sex\na,1,True,F\n", 1, "columns male and sex, where one"),
        ("id,boneage,male\na,1,\x1b[2J\n", 2, "received '\\x1b[2J' for the sex"),
    ],
)
def test_what_cannot_be_is_refused_with_file_and_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"id,boneage\n\0,1\n", "NUL"),
        (b"a" * 200_000, "field larger"),
        (b"PK\x03\x04" + bytes(40), "an Excel or ZIP file; the table saved as CSV"),
        (b" " * (1 << 26) + b"id,boneage,male\n", "at most"),
        ("id,boneage,male\n".encode("utf-16-le"), "NUL bytes; one saved as CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=said) as caught:
        read_labels(path)
    assert str(path) in str(caught.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "none.csv", tmp_path, tmp_path / "pipe.csv"):
        with pytest.raises(DataError, match="cannot be read"):
            read_labels(path)


def test_ids_are_read_as_they_stand(tmp_path: Path) -> None:
    path = write(tmp_path, "id,boneage,male\n../../x,1,True\n007,2,False\n7,3,\n")
    assert list(read_labels(path)) == ["../../x", "007", "7"]


def test_a_scan_tells_of_every_bad_line_and_keeps_the_good(tmp_path: Path) -> None:
    path = write(tmp_path, "id,boneage,male\na,1,True\nb,-1,True\na,2,True\nc,3,False\nd,4\n")
    labels, problems = scan_labels(path)
    assert labels == {"a": Label("a", 1.0, True), "c": Label("c", 3.0, False)}
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}, line {n}" for n in (3, 4, 6)]
    with pytest.raises(DataError, match="and 2 more lines"):
        read_labels(path)


def test_sexes_need_no_ages(tmp_path: Path) -> None:
    path = write(tmp_path, "id,sex\na,F\nb,M\nc,\n")
    assert read_sexes(path) == {"a": False, "b": True, "c": None}
    with pytest.raises(DataError, match="where id,male would do"):
        read_sexes(write(tmp_path, "case,sex\na,F\n"))


@pytest.mark.parametrize("word", ["0", "1", "2", "true", "false", "t", "x"])
def test_a_column_of_sexes_is_never_guessed_at(word: str) -> None:
    with pytest.raises(ValueError, match="M or F would do"):
        parse_sex(word, column="sex")


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12),
        st.tuples(
            st.none() | st.floats(0, 300, allow_subnormal=False),
            st.none() | st.booleans(),
        ),
        max_size=20,
    )
)
def test_a_table_that_was_written_is_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, cases: dict[str, tuple[float | None, bool | None]]
) -> None:
    path = tmp_path_factory.mktemp("labels") / "labels.csv"
    write_table(path, HEADER, [(case_id, *rest) for case_id, rest in cases.items()])
    assert read_labels(path) == {case_id: Label(case_id, *rest) for case_id, rest in cases.items()}
    assert [p.name for p in path.parent.iterdir()] == ["labels.csv"]


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"id,boneage,male\n" + tail))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = write(tmp_path_factory.mktemp("bytes"), content)
    try:
        labels = read_labels(path)
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017 - any of many messages will do
    else:
        assert all(label.age_months is None or 0 <= label.age_months <= 300 for label in labels.values())


def test_a_table_replaces_another_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    write_table(path, ("id", "note"), [("a", 'x,"y"\n'), ("b", None)])
    write_table(path, ("id", "note"), [("c", 1.5)])
    assert path.read_text() == "id,note\nc,1.5\n"
    with pytest.raises(UnicodeEncodeError):
        write_table(path, ("id",), [("\udcff",)])
    assert path.read_text() == "id,note\nc,1.5\n"
