"""Similarity of attention maps: exactness, invariances, the last layer, and the command."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made import make_data, make_encoder
from tiny_study import write_study

import hmnet.jobs.workers
import relevance.attention.pair_maps
from analysis import attention_similarity
from analysis.attention_similarity import compare_attention, sum_similarities
from analysis.gains.attention_layers import relate_to_gains
from analysis.scores.baselines import find_undefined
from analysis.scores.predictions import collect_predictions
from hmnet.data.tokens import SplitData
from hmnet.encoders.layers import find_layers
from hmnet.encoders.load import load_encoder
from hmnet.encoders.watching import list_spans, watch
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.jobs.prepared import prepare_study
from hmnet.jobs.workers import Workers
from hmnet.models.paths import HMNet
from hmnet.packing.batch import pack
from hmnet.runs.job import Job
from hmnet.storage.tables import read_table
from hmnet.study.hierarchy import HierarchySpec
from hmnet.study.study import load_study
from relevance.attention.attention_plan import measure_models
from relevance.attention.pair_maps import (
    _measure_task,
    list_all_pairs,
    measure_pairs,
    plan_pairs,
    read_gains,
)
from relevance.cli import app
from reports.inputs.report_inputs import read_inputs

pytestmark = pytest.mark.usefixtures("in_this_process")

DATA = make_data("alpha", 2, size=30)
SPLIT = DATA.splits["validation"]
ARCHITECTURES = ("bert", "roberta", "electra", "distilbert", "modernbert")


def make_paths(folder: Path, kind: str = "bert", depth: int = 3) -> tuple[Any, Any]:
    """Return two models of the same shape whose weights differ a little."""
    encoder = make_encoder(folder, kind, depth, dropout=0.1)
    one, other = (
        HMNet(encoder, [DATA.task], HierarchySpec(0, 0, depth), [["alpha"]], 0).path("alpha")
        for _ in range(2)
    )
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in other.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return one, other


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return make_paths(tmp_path_factory.mktemp("encoder"))


def list_maps(model: Any, inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """Return a padded batch's maps from the stock model, N tensors [B, H, L, L]."""
    model.set_attn_implementation("eager")
    known = inspect.signature(model.forward).parameters
    with torch.no_grad():
        outputs = model.eval()(
            **{name: value for name, value in inputs.items() if name in known},
            output_attentions=True,
        )
    return list(outputs.attentions)


def compare_directly(one: Any, other: Any, split: SplitData, pad: int = 0) -> np.ndarray[Any, Any]:
    """Return mean cosines from stock attention maps of one padded batch, [N, H]."""
    lengths = split.lengths
    shape = (len(split), int(lengths.max()) + pad)
    inputs = {
        "input_ids": torch.full(shape, one.config.pad_token_id),
        "token_type_ids": torch.zeros(shape, dtype=torch.long),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    for i, length in enumerate(lengths):
        row = split.tokens[split.offsets[i] : split.offsets[i + 1]]
        inputs["input_ids"][i, :length] = torch.from_numpy(row.astype(np.int64))
        inputs["attention_mask"][i, :length] = 1
        inputs["token_type_ids"][i, int(split.first[i]) : length] = 1
    maps = [list_maps(model, inputs) for model in (one, other)]
    found = []
    for first, second in zip(*maps, strict=True):
        cosines = [
            torch.cosine_similarity(
                first[i, :, :n, :n].flatten(1), second[i, :, :n, :n].flatten(1), dim=-1
            )
            for i, n in enumerate(lengths)
        ]
        found.append(torch.stack(cosines).mean(0).numpy())
    return np.stack(found)


def test_a_model_is_exactly_as_itself(paths: tuple[Any, Any]) -> None:
    for path in paths:
        assert (compare_attention(path, path, [SPLIT]) == 1).all()


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_similarities_are_those_of_the_stock_models_maps(tmp_path: Path, kind: str) -> None:
    one, other = make_paths(tmp_path, kind)
    found = compare_attention(one, other, [SPLIT])
    assert found.shape == (3, 2)
    assert found.max() < 1 - 1e-4
    for pad in (0, 7):
        np.testing.assert_allclose(found, compare_directly(one, other, SPLIT, pad), atol=2e-6)


def test_the_order_and_size_of_batches_do_not_matter(
    paths: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compare_attention(*paths, [SPLIT])
    monkeypatch.setattr(attention_similarity, "BATCH_TOKENS", 30)
    monkeypatch.setattr(attention_similarity, "MOST_CELLS", 50)
    np.testing.assert_allclose(compare_attention(*paths, [SPLIT]), whole, atol=1e-6)
    alone = [sum_similarities(*paths, pack(SPLIT, [i])) for i in reversed(range(len(SPLIT)))]
    np.testing.assert_allclose(torch.stack(alone).mean(0).numpy(), whole, atol=1e-6)


def test_the_mean_is_over_the_examples_of_all_splits(paths: tuple[Any, Any]) -> None:
    other = make_data("alpha", 2, size=10, seed=5).train
    one, two = (compare_attention(*paths, [split]) for split in (SPLIT, other))
    both = compare_attention(*paths, [SPLIT, other])
    np.testing.assert_allclose(both, (30 * one + 10 * two) / 40, atol=1e-6)


def test_the_last_layer_is_compared_whole(paths: tuple[Any, Any]) -> None:
    for path in paths:
        watch(path)
        assert type(find_layers(path)[-1]).__name__ == "BertLayer"


def test_similarity_is_symmetric(paths: tuple[Any, Any]) -> None:
    one, other = paths
    forth, back = (compare_attention(*pair, [SPLIT]) for pair in ((one, other), (other, one)))
    np.testing.assert_allclose(forth, back, atol=1e-7)


def test_a_change_of_a_layer_shows_from_that_layer_on(tmp_path: Path) -> None:
    one, _ = make_paths(tmp_path)
    _, other = make_paths(tmp_path)
    other.load_state_dict(one.state_dict())
    with torch.no_grad():
        other.bert.encoder.layer[1].attention.self.key.weight.mul_(2)
    found = compare_attention(one, other, [SPLIT])
    assert (found[0] == 1).all()
    assert (found[1:] < 1).all()


def test_an_architecture_whose_attention_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    make_encoder(tmp_path, "deberta-v2")
    model = load_encoder(str(tmp_path), dropout=0.0).model
    with pytest.raises(InputError, match=r"attention can be watched.*Found architecture `deberta"):
        compare_attention(model, model, [SPLIT])


@pytest.mark.parametrize("most", [1, 40, 100, 10_000])
def test_spans_cover_every_sequence_once_and_keep_to_their_bound(most: int) -> None:
    batch = pack(SPLIT, range(len(SPLIT)))
    spans = list(list_spans(batch.packing, most))
    covered = [(start + i * length, length) for start, count, length in spans for i in range(count)]
    assert [length for _, length in covered] == list(batch.packing.lengths)
    assert [start for start, _ in covered] == batch.packing.starts.tolist()
    assert all(count == 1 or count * length**2 <= most for _, count, length in spans)


def test_layers_are_related_to_gains_by_rank() -> None:
    pairs = [("a", "b", 0.1), ("b", "a", -0.1), ("a", "c", 0.2), ("c", "a", 0.0)]
    gains = pd.DataFrame(pairs, columns=["task", "partner", "gain"])
    # In layer 1 similarity rises with the gain, in layer 2 it falls.
    rows = [
        (task, partner, layer, head, 0.5 + (gain if layer == 1 else -gain) + 0.01 * head)
        for task, partner, gain in pairs
        for layer in (1, 2)
        for head in (1, 2)
    ]
    columns = ["task", "partner", "layer", "head", "similarity"]
    table = relate_to_gains(pd.DataFrame(rows, columns=columns), gains)
    assert table["spearman"].tolist() == pytest.approx([1, -1])
    # Heads add .01 and .02, .015 on average: with gain (.1 + .2) / 2, with loss -.1, in all .05.
    assert table["with_gain"].tolist() == pytest.approx([0.665, 0.365])
    assert table["with_loss"].tolist() == pytest.approx([0.415, 0.615])
    assert table["similarity"].tolist() == pytest.approx([0.565, 0.465])
    assert table["pairs"].tolist() == [4, 4]


def test_correlations_within_a_task_are_not_swayed_by_easy_and_hard_tasks() -> None:
    # Within each task similarity falls as the gain rises; the task that gains more is more similar.
    pairs = [("a", p, 0.1 + i / 100, 0.5 - i / 100) for i, p in enumerate("bcd")]
    pairs += [("b", p, 0.6 + i / 100, 0.9 - i / 100) for i, p in enumerate("acd")]
    pairs += [("c", "a", float("nan"), 0.1)]  # learned nothing alone
    table = pd.DataFrame(pairs, columns=["task", "partner", "gain", "similarity"])
    found = relate_to_gains(table.assign(layer=1, head=1), table[["task", "partner", "gain"]])
    row = found.iloc[0]
    assert row["spearman_within"] == -1
    assert row["spearman"] > 0
    assert row["pairs"] == 6
    assert row["similarity"] == pytest.approx(table["similarity"].mean())


# The command


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def output(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """An output folder in which all pairs are compared."""
    folder = tmp_path_factory.mktemp("attention") / "out"
    words = ["attention", "--study", str(study), "--out", str(folder), "--set", "training.epochs=2"]
    app([*words, "--all-pairs", "--pair", "tone,match"], standalone_mode=False)
    return Output(folder)


def test_a_pairs_table_holds_every_head_of_both_tasks(output: Output) -> None:
    table, provenance = read_table(output.attention / "match.tone.parquet", "attention/1")
    assert list(table.columns) == ["task", "partner", "layer", "head", "similarity"]
    # 2 tasks, 3 layers, 2 heads
    assert len(table) == 2 * 3 * 2
    assert set(zip(table["task"], table["partner"], strict=True)) == {
        ("tone", "match"),
        ("match", "tone"),
    }
    assert sorted(set(table["layer"])) == [1, 2, 3]
    assert table["similarity"].between(0, 1 - 1e-9).all()
    assert len(provenance["runs"]) == 3


def test_all_pairs_are_related_to_gains_layer_by_layer(output: Output) -> None:
    layers, _ = read_table(output.folder / "attention-layers.parquet", "attention-layers/1")
    assert layers["layer"].tolist() == [1, 2, 3]
    assert (layers["pairs"] <= 6).all()
    assert len(list((output.attention / "all").glob("*.parquet"))) == 3


def test_targets_that_learned_nothing_alone_are_left_out_of_gains(output: Output) -> None:
    prepared = prepare_study(load_study(output.study_file), output.data)
    undefined = []
    for name in prepared.study.tasks:
        frame = output.runs.predictions(prepared.single(name, 0).spec, name)
        found = collect_predictions(prepared.study.tasks[name], {0: frame}, {})
        undefined += find_undefined({name: found})
    assert undefined  # the labels of `match` are random
    gains = read_gains(plan_pairs(prepared, list_all_pairs(prepared)), output.runs)
    assert set(gains.loc[gains["gain"].isna(), "task"]) >= set(undefined)
    assert len(gains) == 6
    layers, _ = read_table(output.folder / "attention-layers.parquet", "attention-layers/1")
    assert (layers["pairs"] == gains["gain"].notna().sum()).all()


def test_models_take_the_room_that_a_dry_run_tells(
    output: Output, study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = prepare_study(load_study(output.study_file), output.data)
    job = prepared.shared(["tone", "match"], 0, keep_model=True)
    size = (output.runs.path(job.spec) / "model" / "model.safetensors").stat().st_size
    assert 0 <= size - measure_models([job]) < 10_000  # names and shapes
    words = ["attention", "--all-pairs", "--pair", "tone,match", "--dry-run"]
    app([*words, "--out", str(output.folder)], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "3 pairs, 6 runs whose models are kept" in printed
    assert "0 models to come need 0.00 GB" in printed
    assert "6 already done, 0 to do" in printed


def test_attention_is_measured_here_where_a_cluster_trained(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare_study(load_study(output.study_file), output.data)
    path = output.attention / "match.tone.parquet"
    before, _ = read_table(path, "attention/1")
    path.unlink()
    monkeypatch.setattr(hmnet.jobs.workers, "count_cores", lambda: 1)
    cluster = Workers(2, ("cuda:0", "cuda:0"), scheduler="tcp://127.0.0.1:9")
    assert measure_pairs(output, prepared, [("match", "tone")], cluster) == [path]
    after, _ = read_table(path, "attention/1")
    pd.testing.assert_frame_equal(before, after, rtol=1e-5)


def test_a_pairs_run_is_compared_with_the_single_run_of_its_seed(
    output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"seeds": [3, 5]}
    prepared = prepare_study(load_study(output.study_file, changes), output.data)
    seen = []

    def compare(single: Job, joint: Job, task: str, *_: object) -> np.ndarray:
        seen.append((task, single.spec.names, single.spec.seed, joint.spec.seed))
        return np.full((3, 2), float(single.spec.seed))

    monkeypatch.setattr(relevance.attention.pair_maps, "_compare_runs", compare)
    [pair] = plan_pairs(prepared, [("match", "tone")])
    table = _measure_task(pair, "tone", "match", output.runs, "cpu")
    assert seen == [("tone", ("tone",), 3, 3), ("tone", ("tone",), 5, 5)]
    assert (table["similarity"] == 4).all()  # the mean over seeds


def test_the_report_reads_the_pairs_asked_for(output: Output) -> None:
    found = read_inputs(output.folder)
    assert not [problem for problem in found.problems if "attention" in problem]
    assert found.attention is not None
    assert set(found.attention["task"]) == {"tone", "match"}


def test_a_second_call_trains_and_measures_nothing(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [output.attention / "match.tone.parquet", *output.folder.glob("runs/*/result.json")]
    before = [path.stat().st_mtime_ns for path in files]
    words = ["attention", "--out", str(output.folder), "--pair", "match,tone"]
    app(words, standalone_mode=False)
    assert "tone with match" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in files] == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "`pair` should be given, or `all_pairs`"),
        (["--pair", "tone"], r"two different tasks, such as qqp,rte\. Found `tone`"),
        (["--pair", "tone,tone"], r"two different tasks.*Found `tone,tone`"),
        (["--pair", "tone,mach"], r"tasks of the study\. Found `mach`\. Did you mean `match`"),
        (["--all-pairs", "--tasks", "tone"], "at least two tasks"),
    ],
)
def test_bad_pairs_get_a_sentence(
    study: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    rest = ["--study", str(study), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=message):
        app(["attention", *words, *rest], standalone_mode=False)
