"""What the translation papers' comparisons rest on, and how sentences of one's own are taken."""

import dataclasses
import io
import os
import sys
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.seq2seq import measures, translate
from experiments.seq2seq.claims import CLAIMS
from experiments.seq2seq.config import LENGTHS, PRESETS
from experiments.seq2seq.experiment import attention, by_length, reversal, scored
from experiments.seq2seq.networks import in_parts, make_model, perplexity, translations
from experiments.seq2seq.sentences import apart, load_data, most_similar
from experiments.seq2seq.training import (
    Kept,
    Learner,
    Sentences,
    keeping_the_best,
    make_learner,
    train_network,
)
from lib.base.errors import UserError
from lib.base.weights import save_weights
from lib.batches.numbers import draw_numbers
from lib.batches.text import Bucket, tokenise
from lib.run.claims import verdict
from lib.run.cli import main
from lib.run.keys import root_keys
from lib.run.result import Result, first_seed
from lib.run.watch import Watch
from lib.steps.supervised import SupervisedState

SMOKE = PRESETS["smoke"]


# --- The sentences ---------------------------------------------------------------------------


def test_numbers_are_drawn_once_each_and_all_lengths_alike():
    numbers = draw_numbers(6, 3_000)
    assert len(set(numbers)) == 3_000
    counts = np.bincount([len(str(n)) for n in numbers])
    assert counts[1] == 10 and counts[2] == 90  # all that there are
    assert counts[4:].min() > 600
    assert sorted(draw_numbers(1, 50)) == list(range(10))


def test_no_number_that_is_tested_is_trained_on(seq2seq_smoke):
    config, data, _ = seq2seq_smoke
    assert [len(x) for x in (data.train, data.test)] == [config.train, config.test]
    seen = {source for source, _ in data.train}
    assert len(seen) == config.train and seen.isdisjoint(source for source, _ in data.test)
    assert sum(len(b.source) for b in data.trained_on.buckets) == config.train
    for (source, _), number in zip(data.test, data.numbers, strict=True):
        from num2words import num2words

        assert source == tokenise(num2words(int(number)))


def test_what_is_too_long_to_be_trained_on_is_not_tested():
    data = load_data(replace(SMOKE, bounds=(8,)))
    assert 0 < len(data.test) < SMOKE.test and len(data.numbers) == len(data.test)
    assert max(len(source) for source, _ in data.test) == 7
    assert data.trained_on.longer


def test_the_most_similar_sentence_shares_rare_words_and_pairs_of_words():
    known = [tuple(s.split()) for s in ("a b c", "a c b", "x a", "a a a")]
    asked = [tuple(s.split()) for s in ("b c a b c", "x y", "a c b")]
    assert most_similar(known, asked).tolist() == [0, 2, 1]


def test_multi30k_is_taken_as_it_is(tmp_path, monkeypatch):
    folder = os.environ.get("DEEP_MORNING_DATA")
    if not folder or not list(Path(folder).rglob("train.fr*")):
        pytest.skip("DEEP_MORNING_DATA names no folder with Multi30k")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = load_data(PRESETS["paper"], Path(folder))
    assert (len(data.train), len(data.test), len(data.numbers)) == (29_000, 1_000, 0)
    assert len(data.trained_on.longer) == 1
    assert all(len(v) < 12_000 for v in data.vocabularies)


def test_no_sentence_of_the_test_is_trained_on():
    pairs = [((f"s{i % 40}",), (f"t{i % 30}",)) for i in range(120)]
    test, validation, train = apart(pairs, test=5, validation=3, train=1_000)
    assert (len(test), len(validation)) == (5, 3) and 0 < len(train) < 112
    assert len({source for source, _ in (*test, *validation)}) == 8
    for side in (0, 1):
        held = {pair[side] for pair in (*test, *validation)}
        assert not held & {pair[side] for pair in train}
    first = {source: pairs[int(source[0][1:])] for source, _ in pairs}
    assert all(pair == first[pair[0]] for pair in test)
    assert apart(pairs, 5, 3, 10) == (test, validation, train[:10])


# --- The arms --------------------------------------------------------------------------------


def settings(name):
    model = make_model(SMOKE, name, (9, 8))
    fields = dataclasses.fields(model)
    return {f.name: getattr(model, f.name) for f in fields if f.name not in ("parent", "name")}


@pytest.mark.parametrize(
    "ours, plain, apart",
    [
        ("search", "encdec", {"context", "alignment"}),
        ("reversed", "forward", {"reverse_source"}),
    ],
)
def test_the_two_sides_of_a_comparison_differ_in_what_is_compared(ours, plain, apart):
    one, other = settings(ours), settings(plain)
    assert {name for name in one if one[name] != other[name]} == apart


def needs_of(bleu, perplexity=2.0, memory=40.0):
    """Results of networks whose BLEU falls from `bleu` by as much as it says, over two seeds."""
    needs = {"memory": Result({"memory_bleu": memory})}
    for name, (whole, first, last) in bleu.items():
        metrics = {f"{name}_bleu": [whole] * 2, f"{name}_perplexity": [perplexity] * 2}
        metrics |= {f"{name}_bleu_0": [first] * 2, f"{name}_bleu_{LENGTHS - 1}": [last] * 2}
        needs[name] = Result(metrics)
    return needs


def verdicts(result):
    return {
        c.id: verdict(c, result.metrics[c.metric]) for c in CLAIMS if c.metric in result.metrics
    }


def test_equal_arms_fail():
    same = (80.0, 95.0, 60.0)
    result = attention(SMOKE, None, None, None, needs_of({"search": same, "encdec": same}))
    assert set(verdicts(result).values()) == {"fails"} and len(verdicts(result)) == 2
    result = reversal(SMOKE, None, None, None, needs_of({"reversed": same, "forward": same}))
    assert set(verdicts(result).values()) == {"fails"} and len(verdicts(result)) == 2


def test_what_the_papers_found_holds():
    bleu = {"search": (90.0, 95.0, 90.0), "encdec": (70.0, 95.0, 50.0)}
    result = attention(SMOKE, None, None, None, needs_of(bleu))
    assert set(verdicts(result).values()) == {"holds"}
    assert result.metrics["attention_share_lost"] == [5 / 45] * 2
    assert result.metrics["attention_plain_over_memory"] == [30.0] * 2


def test_a_share_of_nothing_is_none():
    assert measures.share(np.array([1.0, 1.0]), np.array([0.0, 4.0])) == [np.inf, 0.25]


def test_scores_are_of_each_fifth_by_length(seq2seq_smoke):
    _, data, _ = seq2seq_smoke
    groups = by_length(data)
    lengths = [len(source) for source, _ in data.test]
    assert sorted(np.concatenate(groups)) == list(range(len(data.test)))
    ends = [(min(lengths[i] for i in g), max(lengths[i] for i in g)) for g in groups]
    assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:], strict=False))
    targets = [target for _, target in data.test]
    assert scored(data, targets)["bleu"] == pytest.approx(100)
    wrong = [("x",) if i in set(groups[-1]) else t for i, t in enumerate(targets)]
    found = scored(data, wrong)
    assert found["exact"] == 0.8 and found[f"bleu_{LENGTHS - 1}"] == 0 and found["bleu"] < 100


# --- Where it looks, what it knows -----------------------------------------------------------


def test_attention_is_found_at_the_counterpart():
    pair = (tuple("two thousand and five".split()), tuple("deux mille cinq".split()))
    weights = np.zeros((1, 5, 6))
    weights[0, 1, 2] = 1.0  # mille: one word beside thousand
    assert measures.found_at([pair], weights) == {"found": 1.0, "even": 3 / 5}
    weights[0, 1] = [0, 0, 0, 1, 0, 0]  # two words beside it
    assert measures.found_at([pair], weights)["found"] == 0
    even = np.full((1, 5, 6), 1 / 5)
    found = measures.found_at([pair], even)
    assert found["found"] == pytest.approx(found["even"])
    assert measures.found_at([(("five",), ("cinq",))], even) == {}


def test_a_bag_of_words_knows_no_order_and_equal_states_are_never_nearer():
    config, data = SMOKE, load_data(SMOKE)
    vocabulary = data.vocabularies[0]
    first, same, turned = measures.exchanged(config, vocabulary)
    counts = [
        np.stack([np.bincount(row, minlength=len(vocabulary)) for row in side]).astype(float)
        for side in (first, same, turned)
    ]
    np.testing.assert_array_equal(counts[0], counts[2])
    assert measures.ordered(*counts) < 0.02  # but for draws of a' = b
    assert measures.ordered(counts[0], counts[0], counts[0]) == 0
    in_order = [side.astype(float)[:, :3] for side in (first, same, turned)]
    assert measures.ordered(*in_order) > 0.8
    assert measures.exchanged(replace(config, digits=5), vocabulary) is None
    assert measures.exchanged(replace(config, bounds=(9,)), vocabulary) is None


def test_the_nearest_number_is_alike_in_digits_and_in_the_first_of_them():
    numbers = np.array([51, 59, 91, 512])
    near = np.array([[0.0], [0.1], [5.0], [5.1]])
    assert measures.alike(near, numbers) == 0.5
    assert measures.alike(near[[0, 2, 1, 3]], numbers) == 0


def test_a_map_keeps_the_directions_that_vary_most():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(50, 2)) * [9, 4]
    points = np.concatenate([0.01 * rng.normal(size=(50, 3)), wide], axis=1)
    found = measures.plane(points)
    assert found.std(axis=0) == pytest.approx(sorted(wide.std(axis=0))[::-1], rel=0.1)


# --- Learning --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny():
    """A config that learns eight numbers by heart, and its data in two buckets."""
    config = replace(
        SMOKE,
        digits=2,
        train=16,
        test=5,
        bounds=(4, 8),
        units=24,
        embedding=12,
        maxout=12,
        alignment=12,
        rates=(1e-9, 1e-2),
        tuning=30,
        steps=210,
        every=30,
        score_every=210,
        batch=4,
    )
    data = load_data(config)
    assert len(data.trained_on.buckets) == 2
    return config, data


@pytest.fixture(scope="module")
def learned(tiny):
    config, data = tiny
    return train_network(config, "search", root_keys((0, 1)), data, Watch())


def test_it_learns_a_few_sentences_by_heart(tiny, learned):
    config, data = tiny
    model = make_model(config, "search", tuple(map(len, data.vocabularies)))
    params = jax.tree.map(lambda x: x[0], learned.params)
    assert perplexity(model, params, data.trained_on.buckets) < 1.3
    sources, targets = zip(*data.train, strict=True)
    found = translations(config, model, params, data.vocabularies, sources, 2)
    assert np.mean([a == b for a, b in zip(found.words, targets, strict=True)]) > 0.8
    assert found.ended.mean() > 0.8


def test_each_seed_goes_on_from_the_better_rate(learned):
    assert learned.rates == [1e-2, 1e-2]
    assert [row["step"] for row in learned.history][:2] == [30, 60]
    assert learned.history[-1]["step"] == 210
    # Seed by seed the rows of the rate that was chosen: the other one learns nothing.
    assert all(np.diff([row["loss"][i] for row in learned.history[:3]]).max() < 0 for i in (0, 1))


def test_without_decay_a_seed_has_its_best_parameters(tiny):
    config, data = tiny
    config = replace(config, decay=False, rates=(0.3,), tuning=0, steps=6, every=2, score_every=2)
    found = train_network(config, "encdec", root_keys((0,)), data, Watch())
    model = make_model(config, "encdec", tuple(map(len, data.vocabularies)))
    params = jax.tree.map(lambda x: x[0], found.params)
    on_the_way = [row["validation"][0] for row in found.history]
    assert len(on_the_way) == 3 and on_the_way[-1] > min(on_the_way)  # or the last would do as well
    kept = perplexity(model, params, data.validation.buckets)
    assert kept == pytest.approx(min(on_the_way), rel=1e-4)


def test_a_seed_alone_is_the_seed_beside_others(tiny, learned):
    config, data = tiny
    alone = train_network(config, "search", root_keys((1,)), data, Watch())
    jax.tree.map(
        lambda x, y: np.testing.assert_array_equal(x[0], y[1]), alone.params, learned.params
    )


def test_replicas_draw_other_sentences(tiny):
    """The same bucket at a step, and of it examples of their own."""
    config, data = tiny
    model = make_model(config, "encdec", tuple(map(len, data.vocabularies)))
    buckets = jax.tree.map(jnp.asarray, data.trained_on.buckets)
    learner = make_learner(model, config, tuple(len(b.source) for b in buckets))
    sentences = Sentences(buckets)
    state = jax.jit(learner.init)({"key": jax.random.key(0), "rate": jnp.float32(0.1)})
    step = jax.jit(learner.step)
    losses = np.array(
        [
            [step(state, sentences, jax.random.key(s), t)[1]["loss"] for t in range(4)]
            for s in (1, 1, 2)
        ]
    )
    assert (losses[0] == losses[1]).all() and (losses[0] != losses[2]).any()


def test_perplexity_by_hand():
    """Of a network that knows nothing all words are as likely: as many as there are."""
    model = make_model(SMOKE, "encdec", (5, 7))
    rows = np.array([[3, 4, 1, 0]] * 3, np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), rows, rows)["params"]
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape), shapes)
    assert perplexity(model, nothing, [Bucket(rows, rows)]) == pytest.approx(7, rel=1e-4)
    parts = in_parts(np.ones((120, 4), np.int32))
    assert [part.shape for part in parts] == [(100, 4)] * 2 and parts[1].sum() == 80
    assert in_parts(np.zeros((0, 4), np.int32)).shape == (0, 100, 4)


def test_the_parameters_of_the_lowest_validation_are_kept():
    """Of a training whose network grows ever surer of the first word: two of three are it."""
    model = make_model(SMOKE, "encdec", (5, 4))
    rows = np.array([[1]] * 6, np.int32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), rows, rows)["params"]
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape), shapes)
    surer = jnp.zeros(4).at[1].set(0.5)
    wanted = np.array([[1]] * 4 + [[2]] * 2, np.int32)

    def step(state, data, key, t):
        bias = state.params["output"]["bias"] + surer
        return SupervisedState(
            state.params | {"output": state.params["output"] | {"bias": bias}}, ()
        ), {}

    learner = keeping_the_best(Learner(lambda _: SupervisedState(nothing, ()), step), model, 2)
    data = Sentences((), (Bucket(*map(in_parts, (rows, wanted))),))

    @jax.jit
    def trained():
        return jax.lax.scan(
            lambda kept, t: learner.step(kept, data, None, t), learner.init(None), jnp.arange(9)
        )[0]

    kept = trained()
    assert isinstance(kept, Kept) and kept.now.params["output"]["bias"][1] == 4.5
    # Validated at 1, 2, 3, 4; log(exp(bias) + 3) - 2/3 bias is least at log 6.
    assert kept.params["output"]["bias"][1] == 2
    assert jnp.exp(kept.lowest) == pytest.approx(
        perplexity(model, kept.params, [Bucket(rows, wanted)]), rel=1e-5
    )


# --- translate -------------------------------------------------------------------------------


@pytest.fixture
def run_folder(seq2seq_smoke, tmp_path):
    _, _, result = seq2seq_smoke
    for name in ("search", "reversed"):
        params, about = result.weights[name]
        save_weights(tmp_path / f"weights-{name}.safetensors", first_seed(params), about)
    return tmp_path


def says(capsys, *words):
    main("experiments.seq2seq", ["translate", *map(str, words)])
    return capsys.readouterr()


def test_a_sentence_is_translated_as_the_run_would(run_folder, seq2seq_smoke, capsys):
    config, data, result = seq2seq_smoke
    by = translate.load(run_folder, "")
    assert dataclasses.asdict(by.config) == dataclasses.asdict(config)
    assert by.vocabularies == data.vocabularies
    said = says(capsys, run_folder, "Two hundred", "and five", "--beam", "3")
    model = make_model(config, "search", tuple(map(len, data.vocabularies)))
    words = [tokenise("two hundred and five")]
    params = first_seed(result.weights["search"][0])
    found = translations(config, model, params, data.vocabularies, words, 3).words[0]
    assert said.out.split() == translate.translated(by, ["two hundred and five"], 3)[0].split()
    assert "".join(said.out.split()) == "".join(found)


def test_lines_of_a_file_and_of_a_pipe(run_folder, capsys, monkeypatch):
    (run_folder / "in.txt").write_text("five\n\nsix\n")
    by_file = says(capsys, run_folder, "--file", run_folder / "in.txt", "--beam", "3").out
    assert by_file.count("\n") == 3 and by_file.split("\n")[1] == ""
    pipe = io.TextIOWrapper(io.BytesIO(b"five\n\nsix\n"))
    monkeypatch.setattr(sys, "stdin", pipe)
    assert says(capsys, run_folder, "--beam", "3").out == by_file
    other = says(capsys, run_folder, "five", "--network", "reversed", "--beam", "3")
    assert other.out.count("\n") == 1


def test_an_unknown_word_is_said(run_folder, capsys):
    said = says(capsys, run_folder, "five gazillion", "--beam", "3")
    assert said.err == "line 1: not known, read as [UNK]: gazillion\n" and said.out.count("\n") == 1


@pytest.mark.parametrize(
    "words, said, code",
    [
        (("{}", " ".join(["five"] * 22)), "line 1 has 22 words and marks; the longest", 1),
        (("{}", "five", "--file", "{}/latin"), "give a sentence or --file, not both", 2),
        (("{}", "--file", "{}/latin"), "latin, line 2 is not UTF-8", 1),
        (("{}", "--file", "{}/nothing"), "nothing: no such file", 2),
        (("{}", "five", "--network", "encdec"), "has no network 'encdec'; it has search", 2),
        (("{}/empty", "five"), "holds no trained network", 2),
        (("{}/other.safetensors", "five"), "holds weights of gan, not of seq2seq", 2),
        (("{}", "five", "--beam", "0"), "--beam must be at least 1", 2),
    ],
)
def test_what_cannot_be_translated_is_one_line(words, said, code, run_folder, capsys):
    (run_folder / "latin").write_bytes(b"fine\ncaf\xe9\n")
    (run_folder / "empty").mkdir()
    save_weights(run_folder / "other.safetensors", {"a": np.zeros(1)}, {"paper": "gan"})
    with pytest.raises(SystemExit) as left:
        says(capsys, *(word.format(run_folder) for word in words))
    err = capsys.readouterr().err
    assert left.value.code == code and said in err and err.count("\n") == 1


def test_the_network_of_the_record_translates_right_after_install(capsys):
    assert says(capsys, "two hundred and five", "--beam", "2").out == "deux cent cinq\n"


# --- Settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"bounds": (8, 8)}, "--bounds"),
        ({"bounds": ()}, "--bounds"),
        ({"rates": ()}, "--rates"),
        ({"rates": (0.1, 0.2), "tuning": 0}, "--tuning"),
        ({"digits": 16}, "--digits"),
        ({"clip": 0.0}, "--clip"),
        ({"beams": (3,)}, "--beams"),
        ({"decay": False, "score_every": 5}, "--score-every must be at most 4"),
        ({"languages": ("en", "en")}, "--languages"),
        ({"test": LENGTHS - 1}, "--test"),
    ],
)
def test_impossible_settings_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        replace(SMOKE, **fields)


def test_languages_that_there_are_not_are_refused(capsys):
    with pytest.raises(SystemExit):
        main("experiments.seq2seq", ["laptop", "--languages", "en", "xx"])
    assert "--languages: numbers has no 'xx', only en, fr" in capsys.readouterr().err
    with pytest.raises(UserError, match="multi30k has no 'es'"):
        from experiments.seq2seq.config import check

        check(replace(PRESETS["paper"], languages=("en", "es")))
