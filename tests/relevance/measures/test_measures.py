"""Measures of relevance: values worked out by hand, symmetries, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tiny_study import runs_in_this_process, write_study
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from typer.testing import CliRunner

from analysis.transfer.class_scatter import score_classes
from analysis.transfer.log_evidence import find_value_evidence
from hmnet.errors import InputError
from hmnet.folder.outputs import Output
from hmnet.study.study import load_study
from hmnet.study.tasks import Task
from hmnet.training.layer_features import LayerFeatures
from hmnet.training.lookahead import Influences
from relevance.cli import app
from relevance.commands.taking_of_measures import choose_measures, describe_measures
from relevance.matrices.gain_table import holds_gains
from relevance.matrices.matrix import RelevanceMatrix
from relevance.measures.attention_likeness import arrange_heads
from relevance.measures.conditional_entropy import score_nce
from relevance.measures.discriminated_rows import confuse_tasks
from relevance.measures.equal_vocabulary import compute_presence, measure_equal_vocabulary
from relevance.measures.find import find_matrix
from relevance.measures.first_order_affinity import arrange_first_order
from relevance.measures.fisher import compare_units
from relevance.measures.gradient_cosine import arrange_cosines
from relevance.measures.h_score import score_h_score
from relevance.measures.h_score_last import score_h_score_last
from relevance.measures.jensen_shannon import measure_jensen_shannon
from relevance.measures.label_expectation import score_leep
from relevance.measures.label_words import compare_label_names
from relevance.measures.layer_columns import list_layers
from relevance.measures.learning_curves import compare_slopes, find_slope
from relevance.measures.log_evidence_of_last_layer import score_log_evidence_of_last_layer
from relevance.measures.log_evidence_of_layers import score_log_evidence_of_layers
from relevance.measures.lookahead_affinity import arrange_lookahead
from relevance.measures.measure import ANY_KIND, Measure
from relevance.measures.measure_inputs import MeasureInputs
from relevance.measures.registry import FILES, MEASURES, list_further, list_stages
from relevance.measures.representations import compare_models
from relevance.measures.single_runs import SingleRuns
from relevance.measures.task_vectors import compare_vectors
from relevance.measures.text_embedding import compare_embeddings
from relevance.measures.token_coverage import measure_coverage
from relevance.measures.training_rows import compare_sizes
from relevance.vocabulary.cooccurrence import compute_cooccurrence
from relevance.vocabulary.token_counts import TokenCounts, count_pieces
from reports.figure_files import list_drawings
from reports.html import render_report
from reports.inputs.report_inputs import read_inputs

OF_FEATURES = {
    "h-score": score_h_score,
    "h-score-last": score_h_score_last,
    "logme": score_log_evidence_of_layers,
    "logme-last": score_log_evidence_of_last_layer,
    "leep": score_leep,
    "nce": score_nce,
    "linear-cka": compare_models,
}
OF_STEPS = {
    "lookahead": arrange_lookahead,
    "first-order": arrange_first_order,
    "gradient-cosine": arrange_cosines,
}
OF_TOKENS = {
    "token-coverage": measure_coverage,
    "equal-vocabulary": measure_equal_vocabulary,
    "jensen-shannon": measure_jensen_shannon,
}
OF_SINGLES = (
    *("h-score", "h-score-last", "logme", "logme-last", "leep", "nce", "linear-cka"),
    *("lookahead", "first-order", "gradient-cosine", "discriminator"),
    *("task-vectors", "fisher", "attention-likeness", "learning-curves"),
)
TASKS = ("tone", "match", "grade")


def list_takeable() -> list[Measure]:
    """Return the measures that `relevance measure` takes."""
    return [measure for measure in list_further() if measure.compute is not None]


def make_counts(*rows: list[int]) -> TokenCounts:
    names = ("a", "b", "c", "d")[: len(rows)]
    return TokenCounts(names, np.array(rows, dtype=np.int64), {})


def draw_counts(*totals: int, words: int = 300) -> TokenCounts:
    """Return tasks that draw their tokens from one Zipf distribution."""
    shares = 1 / np.arange(1, words + 1)
    rng = np.random.default_rng(0)
    return make_counts(*(rng.multinomial(n, shares / shares.sum()).tolist() for n in totals))


class MadeRuns(SingleRuns):
    """Three tasks' runs, of arrays; c is a regression."""

    def __init__(self, rng: np.random.Generator) -> None:
        jobs = dict.fromkeys("abc")
        super().__init__(None, None, jobs)  # type: ignore[arg-type]
        self.states = rng.normal(size=(3, 3, 40, 2, 5)).astype(np.float32)
        self.logits = rng.normal(size=(3, 3, 40, 2)).astype(np.float32)
        self.labels = np.stack([np.arange(40) % 2, np.arange(40) % 3, np.linspace(0, 1, 40)])

    def read(self, source: str, target: str) -> LayerFeatures:
        place = "abc".index(source), "abc".index(target)
        return LayerFeatures(self.states[place], self.logits[place])

    def find_labels(self, task: str) -> np.ndarray:
        return self.labels["abc".index(task)].astype(np.float64)

    def is_regression(self, task: str) -> bool:
        return task == "c"

    def describe(self) -> dict[str, object]:
        return {}


def make_of_singles(name: str, rng: np.random.Generator) -> RelevanceMatrix:
    """Return a matrix of a, b and c of a measure that reads single runs."""
    if name == "task-vectors":
        return compare_vectors({task: [*rng.normal(size=(2, 4))] for task in "abc"})
    if name == "fisher":
        return compare_units({task: rng.random(5) for task in "abc"})
    if name == "attention-likeness":
        pairs = ("a", "b"), ("a", "c"), ("b", "c")
        return arrange_heads(("a", "b", "c"), {pair: rng.random((2, 4)) for pair in pairs})
    if name == "learning-curves":
        return compare_slopes({task: np.sort(rng.random(20))[::-1].tolist() for task in "abc"})
    if name == "discriminator":
        return confuse_tasks({task: rng.normal(size=(12, 3)) for task in "abc"})
    if name in OF_STEPS:
        return OF_STEPS[name](make_influences(rng))
    return OF_FEATURES[name](MadeRuns(rng))


def make_influences(rng: np.random.Generator) -> Influences:
    cosine = rng.random((2, 3, 3))
    whole = (cosine + cosine.transpose(0, 2, 1)) / 2
    whole[:, range(3), range(3)] = 1
    ahead, first = rng.random((2, 3, 3)), rng.random((2, 3, 3))
    return Influences(("a", "b", "c"), ahead, first, whole, np.ones(3, np.int64))


def make_labelled(**labels: str) -> list[Task]:
    """Return a classification for each name, with the labels in its text."""
    return [Task(name, ("text",), labels=tuple(text.split())) for name, text in labels.items()]


def read(matrix: RelevanceMatrix) -> np.ndarray:
    return matrix.to_frame().to_numpy(np.float64)


# Values by hand. Tokens: a has x x y, b has x z; columns are x, y, z.


def test_token_coverage_counts_each_token_as_often_as_it_occurs() -> None:
    found = measure_coverage(make_counts([2, 1, 0], [1, 0, 1])).to_frame()
    assert found.loc["a", "b"] == 1 / 2  # of x z, a knows x
    assert found.loc["b", "a"] == pytest.approx(2 / 3)  # of x x y, b knows both x
    assert found.loc["a", "a"] == found.loc["b", "b"] == 1


def test_equal_vocabulary_is_expected_over_all_draws_of_as_many_tokens() -> None:
    # n = 2. Of x x y, two of three are drawn: x is always among them, y in 2 of 3 draws; of x z,
    # both. Shared words: x alone, 1. Words of b: 2; of a: 1 + 2/3. Two draws of a share
    # 1 + (2/3)^2 = 13/9 words.
    found = measure_equal_vocabulary(make_counts([2, 1, 0], [1, 0, 1])).to_frame()
    assert found.loc["a", "b"] == pytest.approx(1 / 2)
    assert found.loc["b", "a"] == pytest.approx(1 / (5 / 3))
    assert found.loc["a", "a"] == pytest.approx((13 / 9) / (5 / 3))
    assert found.loc["b", "b"] == pytest.approx(1)


def test_the_probability_of_being_drawn_is_that_of_counting_draws() -> None:
    # 3 of 10 tokens are w: C(7, 4) / C(10, 4) = 35 / 210 of the draws of 4 are without it.
    presence = compute_presence(np.array([[3, 7, 0]]), 4)
    assert presence[0, 0] == pytest.approx(1 - math.comb(7, 4) / math.comb(10, 4))
    assert presence[0, 1] == 1  # the others are too few
    assert presence[0, 2] == 0


def test_jensen_shannon_of_two_tasks_that_share_half_of_their_tokens() -> None:
    # p = (1/2, 1/2, 0), q = (1/2, 0, 1/2), m = (1/2, 1/4, 1/4): KL(p || m) = 1/2 log2(1) +
    # 1/2 log2(2) = 1/2 bit, and so is KL(q || m): 1 - (1/2 + 1/2) / 2.
    found = measure_jensen_shannon(make_counts([3, 3, 0], [3, 0, 3])).to_frame()
    assert found.loc["a", "b"] == pytest.approx(1 / 2)
    apart = measure_jensen_shannon(make_counts([5, 0], [0, 5])).to_frame()
    assert apart.loc["a", "b"] == pytest.approx(0)


def test_the_cosine_of_mean_embeddings() -> None:
    # (1, 0) and (1, 1): 1 / sqrt(2); (1, 0) and (-2, 0): -1.
    means = {"a": np.array([1.0, 0]), "b": np.array([1.0, 1]), "c": np.array([-2.0, 0])}
    found = compare_embeddings(means).to_frame()
    assert found.loc["a", "b"] == pytest.approx(1 / math.sqrt(2))
    assert found.loc["a", "c"] == pytest.approx(-1)


def test_the_size_rule_ranks_sources_by_their_rows() -> None:
    found = compare_sizes({"a": 300, "b": 100, "c": 900}).to_frame()
    assert found.loc["a", "b"] == 300 / 400
    assert found.loc["b", "a"] == 100 / 400
    assert found["b"].sort_values().index.tolist() == ["b", "a", "c"]
    np.testing.assert_allclose(found + found.T, 1)


def test_label_names_are_alike_by_the_words_that_both_tasks_have() -> None:
    # Words of a: entailment, neutral, contradiction; of b: entailment, not; of c: duplicate, not.
    # a and b share 1 of 4 words; b and c 1 of 3, as `not` is a word like others; a and c 0 of 5.
    tasks = make_labelled(
        a="entailment neutral contradiction",
        b="Entailment not_entailment",
        c="duplicate not_duplicate",
    )
    found = compare_label_names(tasks).to_frame()
    assert found.loc["a", "b"] == 1 / 4
    assert found.loc["b", "c"] == 1 / 3
    assert found.loc["a", "c"] == 0


def test_a_regression_has_no_label_names_but_those_of_another_regression() -> None:
    ratings = [Task(name, ("text",), kind="regression", metric="pearson") for name in "bc"]
    found = compare_label_names([*make_labelled(a="0 1"), *ratings]).to_frame()
    assert found.loc["a", "b"] == 0
    assert found.loc["b", "c"] == found.loc["b", "b"] == 1


def test_task_vectors_have_the_cosine_of_all_layers_and_of_each() -> None:
    # a: (1, 0 | 0), b: (1, 0 | 2): over both layers 1 / sqrt(5); layer 1 alone 1, layer 2 none.
    vectors = {"a": [np.array([1.0, 0]), np.zeros(1)], "b": [np.array([1.0, 0]), np.full(1, 2.0)]}
    found = compare_vectors(vectors)
    assert found.to_frame().loc["a", "b"] == pytest.approx(1 / math.sqrt(5))
    layers = dict(list_layers(found))
    assert layers["layer 1"][0, 1] == pytest.approx(1)
    assert np.isnan(layers["layer 2"][0, 1])


def test_a_training_that_moves_nothing_and_information_of_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="training of task `b` should move"):
        compare_vectors({"a": [np.ones(2)], "b": [np.zeros(2)]})
    with pytest.raises(InputError, match="Fisher information of task `a`"):
        compare_units({"a": np.zeros(2), "b": np.ones(2)})


def test_attention_is_arranged_by_layer_and_head() -> None:
    heads = np.array([[0.2, 0.4], [0.6, 0.8]])
    found = arrange_heads(("a", "b"), {("a", "b"): heads})
    assert found.to_frame().loc["b", "a"] == pytest.approx(0.5)
    assert dict(list_layers(found))["layer 2"][0, 1] == pytest.approx(0.7)
    assert dict(list_layers(found, heads=True))["layer 1 head 2"][1, 0] == pytest.approx(0.4)


def test_a_source_that_still_learns_ranks_before_one_that_has_levelled_off() -> None:
    # Ten steps: early are the 2nd and 3rd, late the last three: log 8 - log 2, and 0.
    falling, flat = [9.0, 8, 8, 7, 6, 5, 4, 2, 2, 2], [3.0] * 10
    assert find_slope(falling) == pytest.approx(math.log(4))
    found = compare_slopes({"a": falling, "b": flat}).to_frame()
    assert found.loc["a", "b"] == pytest.approx(math.log(4)) == -found.loc["b", "a"]
    with pytest.raises(InputError, match="task `b` should have at least 10 recorded losses"):
        compare_slopes({"a": falling, "b": [1.0]})


def test_of_features_the_target_decides_what_is_scored() -> None:
    runs = MadeRuns(np.random.default_rng(0))
    h = score_h_score(runs).to_frame()
    mean = runs.states[1, 0].mean(axis=1)
    assert h.loc["b", "a"] == pytest.approx(score_classes(mean, np.arange(40) % 2))
    last = score_log_evidence_of_last_layer(runs).to_frame()
    expected = find_value_evidence(runs.states[0, 2][:, -1], runs.labels[2])
    assert last.loc["a", "c"] == pytest.approx(expected)
    cka = compare_models(runs)
    np.testing.assert_allclose(np.diag(read(cka)), 1)
    assert len(list(list_layers(cka))) == 2


def test_one_label_among_the_probed_rows_is_told_for_every_source() -> None:
    runs = MadeRuns(np.random.default_rng(0))
    runs.labels[1] = 0
    with pytest.raises(InputError) as caught:
        score_h_score(runs)
    assert len(caught.value.problems) == 3
    assert "h-score of `a` on `b`" in caught.value.problems[0]
    assert "at least two classes" in caught.value.problems[0]


# Properties


@pytest.mark.parametrize("name", OF_TOKENS)
def test_a_measure_of_tokens_lies_between_0_and_1_and_follows_the_order_of_tasks(name: str) -> None:
    tokens = draw_counts(500, 90, 2000)
    found = OF_TOKENS[name](tokens)
    assert (read(found) >= 0).all()
    assert (read(found) <= 1 + 1e-12).all()
    turned = TokenCounts(tokens.tasks[::-1], tokens.counts[::-1], {})
    np.testing.assert_allclose(read(OF_TOKENS[name](turned)), read(found)[::-1, ::-1])


@pytest.mark.parametrize("name", OF_TOKENS)
def test_the_numbering_of_tokens_does_not_matter(name: str) -> None:
    tokens = draw_counts(60, 60)  # all are drawn
    turned = TokenCounts(tokens.tasks, tokens.counts[:, ::-1].copy(), {})
    np.testing.assert_allclose(read(OF_TOKENS[name](turned)), read(OF_TOKENS[name](tokens)))


def test_what_is_said_to_be_symmetric_is_and_the_rest_is_not() -> None:
    rng = np.random.default_rng(0)
    tokens = draw_counts(70, 500, 90)
    found = {name: take(tokens) for name, take in OF_TOKENS.items()}
    found["text-embedding"] = compare_embeddings({name: rng.normal(size=5) for name in "abc"})
    found["size"] = compare_sizes({"a": 70, "b": 500, "c": 90})
    found["label-names"] = compare_label_names(
        make_labelled(a="yes no", b="no maybe", c="good bad")
    )
    found |= {name: make_of_singles(name, rng) for name in OF_SINGLES}
    missing = {measure.name for measure in list_takeable()} - {*found, "manual"}
    assert not missing, f"add a matrix of a, b and c to `found`: {', '.join(sorted(missing))}"
    for name, matrix in found.items():
        values = read(matrix)
        assert (values == values.T).all() == (MEASURES[name].direction == "symmetric"), name
        if MEASURES[name].direction == "symmetric":
            np.testing.assert_array_equal(np.diag(values), 1)


def test_at_equal_size_the_number_of_texts_plays_no_part() -> None:
    """Two tasks of one distribution: only plain co-occurrence tells them apart."""
    tokens = draw_counts(200, 20_000)
    sets = [frozenset(np.flatnonzero(counts).tolist()) for counts in tokens.counts]
    plain = compute_cooccurrence(sets)
    assert plain[1, 0] - plain[0, 1] > 0.5  # the large one has all words of the small one
    equal = read(measure_equal_vocabulary(tokens))
    assert abs(equal[1, 0] - equal[0, 1]) < 0.05
    whole = draw_counts(20_000, 20_000)
    cut = read(measure_jensen_shannon(tokens))[0, 1]
    few = read(measure_jensen_shannon(draw_counts(200, 200)))[0, 1]
    assert read(measure_jensen_shannon(whole))[0, 1] > few + 0.2  # more tokens look more alike,
    assert abs(cut - few) < 0.05  # but not those of one task alone


# Tokens


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    words = {"[UNK]": 0, "[CLS]": 1, "rain": 2, "sun": 3, "wind": 4}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", cls_token="[CLS]", model_max_length=2
    )


def test_tokens_are_counted_as_often_as_their_texts_occur(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    texts = {
        "a": pa.chunked_array([["rain rain sun", "wind [CLS]", None], ["rain rain sun"]]),
        "b": pa.chunked_array([["sun snow"]]),
    }
    found = count_pieces(texts, tokenizer)
    # rain, sun, wind; neither truncated to two tokens, nor with special tokens (snow is unknown)
    assert found.counts.tolist() == [[4, 2, 1], [0, 1, 0]]
    assert found.describe()["tokens"] == {"a": 7, "b": 1}


def test_every_task_without_tokens_is_named(tokenizer: PreTrainedTokenizerFast) -> None:
    texts = {name: pa.chunked_array([["", " "]]) for name in ("a", "b")}
    with pytest.raises(InputError) as caught:
        count_pieces(texts, tokenizer)
    assert [text.split("`")[3] for text in caught.value.problems] == ["a", "b"]


@pytest.mark.parametrize("mean", [np.zeros(3), np.array([1.0, math.nan, 0])])
def test_an_embedding_without_direction_is_refused(mean: np.ndarray) -> None:
    with pytest.raises(InputError, match="task `b` should be finite and not 0"):
        compare_embeddings({"a": np.ones(3), "b": mean})


# The registry


def test_every_file_of_the_room_that_holds_a_measure_is_listed() -> None:
    folder = Path(__file__).parents[3] / "relevance" / "measures"
    written = {path.stem for path in folder.glob("*.py") if "\nMEASURE = " in path.read_text()}
    assert written == set(FILES)
    assert len(MEASURES) == len({m.measure for m in MEASURES.values()}) == len(FILES)


def test_no_measure_writes_over_another_file_of_the_output_folder() -> None:
    output = Output(Path("out"))
    paths = {name: getattr(output, name) for name in dir(Output) if not name.startswith("_")}
    taken = {path for path in paths.values() if isinstance(path, Path)}
    taken -= {output.vocab, output.pairwise}
    assert not taken & {output.matrix(name) for name in MEASURES}


def test_each_measure_is_described_with_its_cost_direction_and_source() -> None:
    text = "\n".join(describe_measures())
    for measure in MEASURES.values():
        for part in (measure.title, measure.cost, measure.direction, measure.source):
            assert part in text


def test_all_names_that_are_no_measure_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        choose_measures(["sizes", "size", "jensen"])
    first, second = caught.value.problems
    assert "Found `sizes`. Did you mean `size`?" in first
    assert "Found `jensen`." in second


def test_a_measure_that_needs_pairs_names_its_command() -> None:
    with pytest.raises(InputError, match="Run `relevance pairwise`"):
        choose_measures(["pairwise"])


def test_a_measure_that_is_not_defined_for_a_kind_names_the_tasks(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path))
    only = replace(MEASURES["manual"], kinds=ANY_KIND[:1])
    with pytest.raises(InputError, match=r"classification tasks. Found `grade`, a regression"):
        only.take(MeasureInputs(study, Output(tmp_path / "out")))


# The commands, on a tiny study


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Output, str]:
    folder = tmp_path_factory.mktemp("measured")
    names = [measure.name for measure in list_takeable()]
    command = ["measure", *names, "--study", str(write_study(folder)), "--out", str(folder / "out")]
    with runs_in_this_process():
        found = CliRunner().invoke(app, command, catch_exceptions=False)
    return Output(folder / "out"), found.output


@pytest.mark.system
def test_every_further_measure_is_taken_of_a_study(measured: tuple[Output, str]) -> None:
    output, said = measured
    for measure in list_takeable():
        matrix = RelevanceMatrix.read(output.matrix(measure.name))
        assert matrix.measure == measure.measure
        assert matrix.tasks == TASKS
        assert np.isfinite(read(matrix)).all()
        assert not holds_gains(matrix), measure.name
        assert f"{measure.name}.parquet" in said


def test_a_measured_matrix_is_found_by_its_name(measured: tuple[Output, str]) -> None:
    output, _ = measured
    for measure in list_takeable():
        assert find_matrix(output, None, measure.name).measure == measure.measure
    with pytest.raises(InputError, match=r"token-coverage, .*Run `relevance vocab` first"):
        find_matrix(output, None, "vocab")


def test_tasks_of_the_same_texts_cannot_be_told_apart(measured: tuple[Output, str]) -> None:
    for name in ("token-coverage", "jensen-shannon"):
        found = find_matrix(measured[0], None, name).to_frame()
        assert found.loc["match", "grade"] == pytest.approx(1, abs=0.02)
    size = find_matrix(measured[0], None, "size").to_frame()
    assert (size == 0.5).all(axis=None)
    embedded = find_matrix(measured[0], None, "text-embedding").to_frame()
    assert embedded.loc["match", "grade"] == pytest.approx(1)


def test_status_names_what_was_measured_and_what_is_expected(
    measured: tuple[Output, str],
) -> None:
    output, _ = measured
    there = [stage.path.name for stage in list_stages(output) if stage.path.exists()]
    printed = CliRunner().invoke(app, ["status", "--out", str(output.folder)]).output
    for name in (*there, "vocab.parquet", "pairwise.parquet"):
        assert f"  {name} " in printed
    assert "next: relevance vocab" in printed


def test_the_report_shows_each_measure_that_was_taken(measured: tuple[Output, str]) -> None:
    inputs = read_inputs(measured[0].folder)
    assert not inputs.problems
    page = render_report(inputs)
    names = [measure.name for measure in list_takeable()]
    for name in names:
        assert page.count(f'<section id="measure-{name}">') == 1
    assert set(names) <= set(dict(list_drawings(inputs)))
    assert f"relevance measure {' '.join(sorted(names, key=list(MEASURES).index))}" in page
