"""Files as people have them: encodings, delimiters, quotes, packed files, other layouts."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from hmnet.data.raw import RawSplit, find_file, list_shadowed, load_split, load_texts
from hmnet.errors import InputError
from hmnet.study.tasks import Task

TASK = Task(name="t", text=("body",), labels=("no", "yes"))
TEXTS = ["Der Käse schmeckt süß", "él no volvió a París", "the soup, warm; and rich"]
LABELS = ["yes", "no", "yes"]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / "t" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(folder: Path, name: str, content: bytes) -> RawSplit:
    write(folder, name, content)
    return load_split(TASK, "train", folder)


def refused(folder: Path, name: str, content: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(folder, name, content)
    assert len(caught.value.problems) == 1
    assert str(folder / "t" / name) in str(caught.value)
    return str(caught.value)


def make_csv(delimiter: str = ",", end: str = "\n") -> str:
    lines = [f'"{text}"{delimiter}{label}' for text, label in zip(TEXTS, LABELS, strict=True)]
    return end.join([f"body{delimiter}label", *lines, ""])


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ()),
        ("utf-8-sig", ()),
        ("cp1252", ("`train.csv` is read as cp1252, as the byte 0xe4 in line 2 is no UTF-8",)),
        ("latin-1", ("`train.csv` is read as cp1252, as the byte 0xe4 in line 2 is no UTF-8",)),
        ("utf-16", ("`train.csv` is read as utf-16",)),
        ("utf-16-le", ("`train.csv` is read as utf-16-le",)),
        ("utf-16-be", ("`train.csv` is read as utf-16-be",)),
        ("utf-32", ("`train.csv` is read as utf-32",)),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_encoding_that_is_certain_is_read_and_said(
    tmp_path: Path, encoding: str, note: tuple[str, ...], end: str
) -> None:
    rows = read(tmp_path, "train.csv", make_csv(end=end).encode(encoding))
    assert rows.texts[0] == TEXTS
    assert rows.notes == note


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Очень хороший фильм, советую всем посмотреть его", "cp1251"),
        ("Bardzo dobry film, zażółć gęślą jaźń, śmieszny", "cp1250"),
        ("とても面白い映画でした。また見たいと思います", "shift_jis"),
    ],
)
def test_an_encoding_that_is_a_guess_is_refused_with_the_guess_and_the_line(
    tmp_path: Path, text: str, encoding: str
) -> None:
    content = f'body,label\nplain words,no\n"{text}",yes\n'.encode(encoding)
    said = refused(tmp_path, "train.csv", content)
    assert "in line 3, which is no UTF-8" in said
    assert "iconv -f" in said


def test_a_file_in_two_encodings_is_refused(tmp_path: Path) -> None:
    content = "body,label\nKäse,no\n".encode() + "süß,yes\n".encode("cp1252")
    assert "in line 3, which is no UTF-8, although other lines are" in refused(
        tmp_path, "train.csv", content
    )


@pytest.mark.parametrize(
    ("name", "delimiter", "said"),
    [
        ("train.csv", ";", "with semicolons between columns"),
        ("train.csv", "\t", "with tabs between columns"),
        ("train.csv", "|", "with bars between columns"),
        ("train.tsv", "\t", ""),
        ("train.tsv", ",", "with commas between columns"),
        ("train.CSV", ",", ""),
        ("train.Tsv", ";", "with semicolons between columns"),
    ],
)
def test_the_delimiter_is_the_one_that_makes_the_columns(
    tmp_path: Path, name: str, delimiter: str, said: str
) -> None:
    rows = read(tmp_path, name, make_csv(delimiter).encode())
    assert rows.texts[0] == TEXTS
    assert rows.notes == ((f"`{name}` is read {said}",) if said else ())


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nbody;label\na b;yes\nc;no\n",
        "body , label\na b, yes \nc,no\n",
        '"body", "label"\n"a b", "yes"\n"c", "no"\n',
        "body,label,,\na b,yes,,\nc,no,,\n,,,\n\n",
        "id;body;label;note\n1;a b;yes;x, y\n2;c;no;\n",
    ],
)
def test_what_spreadsheets_add_is_no_content(tmp_path: Path, content: str) -> None:
    rows = read(tmp_path, "train.csv", content.encode())
    assert rows.texts[0] == ["a b", "c"]
    assert rows.labels.tolist() == [1, 0]


def test_a_header_without_any_of_the_columns_is_told_in_its_own_columns(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, "train.csv", b"text;class;note\na b;1;x\nc d;0;y\ne f;1;z\n")
    assert "The columns are: text, class, note." in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('body,label\na,no\n"b,yes\nc,no\n', "a quote that opens in line 3 and is not closed"),
        ('body,label\n"a" b,no\n', "text behind a closing quote in line 2"),
        ('body,label\n"a,no\nb,yes\n"c" d,no\n', "of a value that may begin in line 2"),
        ("body,label\na,no\nb,c,yes\nd\n", "line 3 has 3, `b | c | yes`; line 4 has 1, `d`"),
        ('body,label,x\n"a,no,1\nb,yes,2\nc",no,3\n', "a quote that opens in line 2 and holds"),
    ],
)
def test_rows_that_a_parser_would_lose_are_refused_with_their_line(
    tmp_path: Path, content: str, said: str
) -> None:
    assert said in refused(tmp_path, "train.csv", content.encode())


@pytest.mark.parametrize(
    "texts",
    [
        ['"a b', "c", 'd" e'],
        ['"Well" he said', "c", "d"],
        ['say "no', 'b "', '"'],
        ['"a', 'b"', "c"],
    ],
)
def test_quotes_in_tab_separated_lines_are_plain_where_every_line_is_whole(
    tmp_path: Path, texts: list[str]
) -> None:
    lines = "".join(f"{t}\t{label}\n" for t, label in zip(texts, LABELS, strict=True))
    rows = read(tmp_path, "train.tsv", f"body\tlabel\n{lines}".encode())
    assert rows.texts[0] == texts


@pytest.mark.parametrize("text", ["two\nlines, each", 'say ""no""', "a\n\nb", "tab\there"])
def test_quoted_texts_of_several_lines_are_one_text(tmp_path: Path, text: str) -> None:
    content = f'body,label,x\n"{text}",no,1\nb,yes,2\n'
    rows = read(tmp_path, "train.csv", content.encode())
    assert rows.texts[0] == [text.replace('""', '"'), "b"]


@pytest.mark.parametrize("name", ["train.csv.gz", "train.jsonl.gz", "train.tsv.GZ"])
def test_packed_files_are_read(tmp_path: Path, name: str) -> None:
    if "jsonl" in name:
        rows = [{"body": t, "label": label} for t, label in zip(TEXTS, LABELS, strict=True)]
        content = "".join(json.dumps(row) + "\n" for row in rows)
    else:
        content = make_csv("\t" if "tsv" in name else ",")
    assert read(tmp_path, name, gzip.compress(content.encode())).texts[0] == TEXTS
    assert "damaged archive" in refused(tmp_path, name, gzip.compress(content.encode())[:-20])
    assert "damaged archive" in refused(tmp_path, name, b"body,label\na,no\n")


FRAME = pd.DataFrame({"body": TEXTS, "label": LABELS})
ROWS = FRAME.to_dict("records")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps({"data": ROWS}),
        json.dumps({"body": TEXTS, "label": LABELS}),
        FRAME.to_json(),
        FRAME.to_json(orient="records", lines=True),
        json.dumps(ROWS, indent=2),
    ],
)
def test_a_document_of_rows_or_of_columns_is_read(tmp_path: Path, content: str) -> None:
    rows = read(tmp_path, "train.json", content.encode())
    assert (rows.texts[0], rows.labels.tolist()) == (TEXTS, [1, 0, 1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"body": "a", "label": "no"}, 5]', "`5` as row 1, which is no JSON object"),
        ('{"body": ["a"], "label": ["no", "yes"]}', "no columns of one length"),
        ('"body"', "in place of a list of JSON objects"),
        ('[{"body": "a"', "should be json"),
    ],
)
def test_a_document_of_something_else_is_refused(tmp_path: Path, content: str, said: str) -> None:
    assert said in refused(tmp_path, "train.json", content.encode())


@pytest.mark.parametrize("whole", [True, False])
def test_a_folder_of_save_to_disk_is_read(tmp_path: Path, whole: bool) -> None:
    features = datasets.Features(
        {"body": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    codes = [int(label == "yes") for label in LABELS]
    data = datasets.Dataset.from_dict({"body": TEXTS, "label": codes}, features=features)
    if whole:
        datasets.DatasetDict({"train": data, "validation": data}).save_to_disk(tmp_path / "t")
    else:
        data.save_to_disk(tmp_path / "t" / "train")
    rows = load_split(TASK, "train", tmp_path)
    assert (rows.texts[0], rows.labels.tolist()) == (TEXTS, codes)
    turned = Task(name="t", text=("body",), labels=("yes", "no"))
    with pytest.raises(InputError, match="order of the source's codes"):
        load_split(turned, "train", tmp_path)


@pytest.mark.parametrize("stem", ["dev", "valid", "val", "eval"])
def test_the_dev_split_has_several_names(tmp_path: Path, stem: str) -> None:
    path = write(tmp_path, f"{stem}.jsonl", b"{}")
    assert find_file(TASK, "validation", tmp_path) == path
    better = write(tmp_path, "validation.json", b"{}")
    assert find_file(TASK, "validation", tmp_path) == better


@pytest.mark.parametrize(
    "others", [["train.csv", "train.parquet"], ["train.jsonl", "train.csv.gz", "train.parquet"]]
)
def test_a_file_that_is_not_read_beside_one_that_is_is_told(
    tmp_path: Path, others: list[str]
) -> None:
    for name in (*others, "validation.csv"):
        write(tmp_path, name, b"")
    (said,) = list_shadowed(TASK, tmp_path)
    assert said.startswith("split `train`: train.parquet is read, not train.")


def test_a_spreadsheet_is_answered_with_csv(tmp_path: Path) -> None:
    write(tmp_path, "train.xlsx", b"PK")
    with pytest.raises(InputError, match=r"train\.xlsx: save each sheet as csv"):
        find_file(TASK, "train", tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("new.csv", b"body\n12\n3.5\n", ["12", "3.5"]),
        ("new.jsonl", b'{"body": 12}\n{"body": 7}\n', ["12", "7"]),
        ("new.json", b'[{"body": 0.5, "label": [1]}, {"body": 2.0, "label": "x"}]', ["0.5", "2.0"]),
        ("new.tsv", b"body;x\na;1\n", ["a"]),
    ],
)
def test_new_rows_need_not_look_like_training_rows(
    tmp_path: Path, name: str, content: bytes, texts: list[str]
) -> None:
    assert load_texts(TASK, write(tmp_path, name, content)).texts == (texts,)


@pytest.mark.parametrize(
    ("write_rows", "said"),
    [
        (lambda f: f.to_csv, "row 1 (line 3 of the file)"),
        (lambda f: lambda p, **_: f.to_json(p, orient="records", lines=True), "(line 2 of the"),
        (lambda f: lambda p, **_: f.to_parquet(p), "row 1 (the first is row 0)"),
    ],
)
def test_a_message_says_where_a_row_is(
    tmp_path: Path, write_rows: Callable[[Any], Callable[..., object]], said: str
) -> None:
    suffix = {"row 1 (line 3 of the file)": "csv", "(line 2 of the": "jsonl"}.get(said, "parquet")
    (tmp_path / "t").mkdir()
    path = tmp_path / "t" / f"train.{suffix}"
    write_rows(FRAME.assign(label=["no", "maybe", "no"]))(path, index=False)
    with pytest.raises(InputError) as caught:
        load_split(TASK, "train", tmp_path)
    assert f"Found `maybe` in {said}" in str(caught.value) or said in str(caught.value)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_values_with_a_decimal_comma_are_numbers(tmp_path: Path, delimiter: str) -> None:
    task = Task(name="t", text=("body",), kind="regression", metric="correlation")
    content = f"body{delimiter}label\na{delimiter}3,5\nb{delimiter}-1\nc{delimiter}0,25\n"
    write(tmp_path, "train.csv", content.encode())
    assert load_split(task, "train", tmp_path).labels.tolist() == [3.5, -1.0, 0.25]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.csv", b"version https://git-lfs.github.com/spec/v1\nsize 1\n", "git lfs pull"),
        ("train.parquet", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("train.csv", b"PK\x03\x04" + bytes(range(256)), "a spreadsheet"),
        ("train.jsonl", b'[{"body": "a"},\n{"body": "b"}]\n', "a file named .json"),
        ("train.jsonl", b'{"body": "a"},\n', "line 1: Extra data"),
        ("train.csv", b'{"body": "a", "label": "no"}\n', "a file named .jsonl"),
        ("train.tsv", b'[{"body": "a", "label": "no"}]', "a list of them from .json"),
        ("train.csv", b"<!DOCTYPE html>\n<p>Not found</p>\n", "a web page in place of the rows"),
        ("train.parquet", b"body,label\na,no\n", "no parquet file"),
        ("train.csv.gz", b"body,label\na,no\n", "named without .gz"),
        ("train.csv", b"body,label\na,no\n\0\0\0,no\n", "the byte 0x00 in line 3"),
        ("train.jsonl", b"body,label\na,no\n", "read from a file named .csv or .tsv"),
        ("train.jsonl", b'{"body": "a", "label": "no"}\n{"body": "b', "is the file cut off?"),
        ("train.json", b'[{"body": "a"},\n]', "at line 2, character 1, `]`"),
        (
            "train.json",
            b'{"train": [{"body": "a"}], "dev": []}',
            "each split has a file of its own",
        ),
    ],
)
def test_what_lies_in_the_place_of_rows_is_named(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    assert said in refused(tmp_path, name, content)


def test_a_file_without_a_header_is_told_what_its_first_line_should_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="first line of the file should hold their names"):
        read(tmp_path, "train.tsv", b"a good one\t1\nanother\t0\n")


@pytest.mark.parametrize("blank", ["", "   ", "\u00a0"])
def test_rows_with_an_empty_text_are_counted(tmp_path: Path, blank: str) -> None:
    rows = read(tmp_path, "train.csv", f'body,label\n"{blank}",no\nb,yes\n'.encode())
    assert rows.notes == ("1 of 2 rows have an empty text in column `body`",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("body^label\na^no\n", "inside of the only column's name, `body^label`"),
        ("body  label\na  no\n", "separated by commas, tabs, semicolons or bars"),
        ("Body,label\na,no\n", "Did you mean `Body`?"),
        ("body,body,label\na,b,no\n", "Found `body` twice: rename one"),
    ],
)
def test_a_header_that_is_not_split_or_spelled_as_expected_is_explained(
    tmp_path: Path, content: str, said: str
) -> None:
    write(tmp_path, "train.csv", content.encode())
    with pytest.raises(InputError) as caught:
        load_split(TASK, "train", tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["train.jsonl", "train.json", "train.parquet"])
def test_spaces_around_the_names_of_columns_do_not_count(tmp_path: Path, name: str) -> None:
    frame = FRAME.rename(columns={"body": " body", "label": "label "})
    path = write(tmp_path, name, b"")
    if name == "train.parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=name.endswith("l"))
    assert load_split(TASK, "train", tmp_path).texts == (TEXTS,)


def test_a_name_that_two_columns_have_with_spaces_is_none(tmp_path: Path) -> None:
    row = json.dumps({"body ": "a", " body": "b", "label": "no"}).encode()
    assert "should name a column" in refused(tmp_path, "train.jsonl", row)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_backslashes_before_quotes_are_read_and_said(tmp_path: Path, delimiter: str) -> None:
    lines = 'body,label\n"she said \\"no\\", and left",no\n"plain",yes\n'
    head, *rest = lines.splitlines()
    rest = [delimiter.join(line.rsplit(",", 1)) for line in rest]
    content = "\n".join([head.replace(",", delimiter), *rest, ""])
    rows = read(tmp_path, "train.csv", content.encode())
    assert rows.texts[0] == ['she said "no", and left', "plain"]
    assert "with backslashes before quotes inside of quotes" in rows.notes[0]


@pytest.mark.parametrize("end", [b"", b'"open,no\n', b"a,b,no\n"])
def test_backslashes_do_not_hide_what_is_wrong_with_a_file(tmp_path: Path, end: bytes) -> None:
    content = b'body,label\n"a \\"b\\" c",no\n' + end
    if end:
        assert "should be csv" in refused(tmp_path, "train.csv", content)
    else:
        assert read(tmp_path, "train.csv", content).texts[0] == ['a "b" c']


NUMBER = Task(name="t", text=("body",), kind="regression", metric="correlation")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1.5", "3", "-2.25"], [1.5, 3.0, -2.25]),
        (["1.5", 3, 0.25], [1.5, 3.0, 0.25]),
        (["1,5", "3", "12,25"], [1.5, 3.0, 12.25]),
        (["0,125", "2,5", "1"], [0.125, 2.5, 1.0]),
    ],
)
def test_numbers_that_stand_as_text_in_json_are_numbers(
    tmp_path: Path, values: list[Any], expected: list[float]
) -> None:
    rows = "".join(json.dumps({"body": "a", "label": v}) + "\n" for v in values)
    write(tmp_path, "train.jsonl", rows.encode())
    found = load_split(NUMBER, "train", tmp_path)
    assert found.labels.tolist() == expected
    said = any("decimal comma" in note for note in found.notes)
    assert said == any("," in str(value) for value in values)


@pytest.mark.parametrize(
    "values", [["1,250", "2,500"], ["1,250.5", "3"], ["1,250,000", "2"], ["50%", "7"], ["n/a", "1"]]
)
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_numbers_that_may_be_thousands_or_are_none_are_refused(
    tmp_path: Path, suffix: str, values: list[str]
) -> None:
    frame = pd.DataFrame({"body": ["a"] * len(values), "label": values})
    path = write(tmp_path, f"train{suffix}", b"")
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    with pytest.raises(InputError, match=r"Write plain numbers, such as 1250\.5"):
        load_split(NUMBER, "train", tmp_path)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no such folder (in `{rows}`: an empty folder)"),
        ({"train.csv": ""}, "(in `{rows}`: train.csv)"),
        ({"t": ""}, "Found a file"),
        ({"t/train.zip": ""}, "Found train.zip: unpack the archive"),
        ({"t/train.txt": ""}, "name a table of text .csv or .tsv"),
        ({"t/train.csv/part": ""}, "Found train.csv/"),
        ({"t/train.pkl": ""}, "save it as parquet"),
    ],
)
def test_a_place_without_the_file_says_what_lies_there(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        find_file(TASK, "train", tmp_path)
    assert said.format(rows=tmp_path) in str(caught.value)


def test_another_name_of_a_split_is_said_to_be_a_setting(tmp_path: Path) -> None:
    write(tmp_path, "test.csv", b"")
    with pytest.raises(
        InputError, match=r"`\[task\.t\.splits\]`, such as `validation = \"other\"`"
    ):
        find_file(TASK, "validation", tmp_path)
