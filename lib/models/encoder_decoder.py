"""Networks that read a sentence and write another: encoder and decoder, with attention or without.

Cho et al. 2014 (arXiv:1406.1078), Sutskever et al. 2014 (arXiv:1409.3215), Bahdanau et al. 2015
(arXiv:1409.0473) are settings of one module.
"""

from typing import Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from lib.nn.attention import AttentiveDecoder
from lib.nn.dense import Dense
from lib.nn.maxout import Maxout
from lib.nn.recurrent import Bidirectional, Kind, Recurrent, Reset, State, zero_state
from lib.ops.beam import Found, beam_search
from lib.ops.sequences import END, PAD, previous, real, reverse_words, word_log_probability

Context = Literal["attention", "summary", "start", "states"]


class Encoded(NamedTuple):
    """What the decoder knows of the source; each array has the batch in front.

    Attributes:
      states: the decoder's before the first word, one a layer.
      summary: c, `[B, units]`; None where the decoder does not see it beyond its start.
      memory: annotations `[B, S, 2 units]`, and their mask `[B, S]`; None without attention.
    """

    states: tuple[State, ...]
    summary: jax.Array | None = None
    memory: jax.Array | None = None
    mask: jax.Array | None = None


class Decoded(NamedTuple):
    """`logits` `[B, T, K]`; the decoder's states after the last step; `weights` `[B, T, S]`, or None."""

    logits: jax.Array
    states: tuple[State, ...]
    weights: jax.Array | None


class EncoderDecoder(nn.Module):
    """`source [B, S]`, `target [B, T]` -> logits of each target word given those before it, `[B, T, K]`.

    Both are rows of numbers as `lib.ops.sequences` has them. `e(y_0) = 0`: padding has no embedding.

    Attributes:
      source_words, target_words: sizes of the vocabularies.
      embedding: numbers a word. As it is the input of every weighted sum, the input matrices have this
        rank (Cho et al.: 100).
      units: of each recurrent layer; a direction of Bahdanau's encoder has as many.
      kind, reset: of the recurrent layers (see `lib.nn.recurrent`). "after_with_context" is the
        decoder's: the encoder's reset then comes before the product, as the paper has it.
      context: what the decoder is told:
        "summary": `c = tanh(V h_N)`, at every step and in the output; `h'_0 = tanh(V' c)` (Cho);
        "start": the same c, in `h'_0` only;
        "states": it goes on from the encoder's last states, all layers' (Sutskever);
        "attention": an annotation of each source word, weighted anew at each step (Bahdanau).
      layers: of encoder and decoder, with "states".
      maxout: units of the output's hidden layer, each the larger of two sums of the state (of Bahdanau's
        the one before the step), the word before and the context; 0: none, and the output sees the state
        alone, after the step.
      rank: of the output matrix, `G = G_l G_r`; 0: full.
      reverse_source: read from the last word to the first (Sutskever).
      alignment: hidden units of the attention (Bahdanau: as many as `units`).
    """

    source_words: int
    target_words: int
    embedding: int
    units: int
    kind: Kind = "gru"
    reset: Reset = "before"
    context: Context = "summary"
    layers: int = 1
    maxout: int = 0
    rank: int = 0
    reverse_source: bool = False
    alignment: int = 0

    def setup(self):
        if self.layers > 1 and self.context != "states":
            raise ValueError(f"{self.layers} layers need the context states, not {self.context}")
        if (self.context == "attention") != (self.alignment > 0):
            raise ValueError("attention, and nothing else, needs units of alignment")
        normal = nn.initializers.normal(0.1)
        self.source_embedding = nn.Embed(self.source_words, self.embedding, embedding_init=normal)
        self.target_embedding = nn.Embed(self.target_words, self.embedding, embedding_init=normal)
        gated_before = "before" if self.reset == "after_with_context" else self.reset
        if self.context == "attention":
            self.encoder = Bidirectional(self.units, self.kind, gated_before)
            self.decoder = AttentiveDecoder(self.units, self.alignment, self.kind, self.reset)
        else:
            self.encoder = [
                Recurrent(self.units, self.kind, gated_before) for _ in range(self.layers)
            ]
            self.decoder = [
                Recurrent(self.units, self.kind, self.reset) for _ in range(self.layers)
            ]
        if self.context in ("summary", "start"):
            self.summarise = nn.Dense(self.units)
        if self.context != "states":
            self.begin = nn.Dense(self.units)
        if self.maxout:
            self.hidden = Maxout(self.maxout, 2)
        if self.rank:
            self.narrow = Dense(self.rank, use_bias=False)
        self.output = Dense(self.target_words)

    def __call__(self, source: jax.Array, target: jax.Array) -> jax.Array:
        return self.decode(self.encode(source), previous(target)).logits

    def encode(self, source: jax.Array) -> Encoded:
        """Reads the sentences `source`, int `[B, S]`."""
        if self.reverse_source:
            source = reverse_words(source)
        mask = real(source)
        words = _embedded(self.source_embedding, source)
        if self.context == "attention":
            memory = self.encoder(words, mask)
            # What the backward layer knows at the first word: the whole sentence.
            first = jnp.tanh(self.begin(memory[:, 0, self.units :]))
            return Encoded((self._from_hidden(first),), None, memory, mask)
        states = []
        for layer in self.encoder:
            words, state = layer(words, mask)
            states.append(state)
        if self.context == "states":
            return Encoded(tuple(states))
        summary = jnp.tanh(self.summarise(states[-1][-1]))
        start = self._from_hidden(jnp.tanh(self.begin(summary)))
        return Encoded((start,), summary if self.context == "summary" else None)

    def decode(
        self, encoded: Encoded, words: jax.Array, states: tuple[State, ...] | None = None
    ) -> Decoded:
        """Logits of what follows each of `words`, int `[B, T]`; begins with `encoded.states`."""
        features, after, weights = self._features(encoded, words, states)
        return Decoded(self.output(features), after, weights)

    def log_probability(self, source: jax.Array, target: jax.Array) -> jax.Array:
        """`log p(target | source)` `[B]`, padding left out; all of the logits are never there at once."""
        features, _, _ = self._features(self.encode(source), previous(target))
        output = self.output.variables["params"]
        flat = features.reshape(-1, features.shape[-1])
        log_p = word_log_probability(flat, output["kernel"], output["bias"], target.reshape(-1))
        return jnp.where(real(target), log_p.reshape(target.shape), 0).sum(axis=1)

    def _features(self, encoded, words, states=None):
        """`(what the output layer sees [B, T, ...], states after the last step, weights)`."""
        states = encoded.states if states is None else states
        inputs = _embedded(self.target_embedding, words)
        features, weights = [inputs], None
        if self.context == "attention":
            had, state = self.decoder(inputs, encoded.memory, encoded.mask, states[0])
            after, weights = (state,), had["weights"]
            hidden = had["before" if self.maxout else "after"]
            features.append(had["context"])
        else:
            hidden, after = inputs, []
            for layer, start in zip(self.decoder, states, strict=True):
                hidden, state = layer(hidden, None, start, encoded.summary)
                after.append(state)
            if encoded.summary is not None:
                everywhere = (*words.shape, encoded.summary.shape[-1])
                features.append(jnp.broadcast_to(encoded.summary[:, None], everywhere))
        if self.maxout:
            hidden = self.hidden(jnp.concatenate([hidden, *features], axis=-1))
        if self.rank:
            hidden = self.narrow(hidden)
        return hidden, tuple(after), weights

    def _from_hidden(self, hidden: jax.Array) -> State:
        """A decoder's state of this hidden state; an LSTM's cell is empty."""
        return (*zero_state(self.kind, *hidden.shape)[1:], hidden)


def _embedded(embedding: nn.Embed, words: jax.Array) -> jax.Array:
    return embedding(words) * real(words)[..., None]


def translate(
    model: EncoderDecoder, params, source: jax.Array, *, beams: int, length: int
) -> Found:
    """The likeliest target sentences of `length` words at most, by beam search.

    Args:
      source: int `[B, S]`.
    """

    def step(encoded, states, words):
        decoded = model.apply({"params": params}, encoded, words[:, None], states, method="decode")
        return decoded.states, decoded.logits[:, 0]

    encoded = model.apply({"params": params}, source, method="encode")
    return beam_search(step, encoded, encoded.states, beams=beams, length=length)


def sample(
    model: EncoderDecoder, params, source: jax.Array, key: jax.Array, *, length: int
) -> jax.Array:
    """A target sentence for each source, drawn word by word, int `[B, length]`, ended and padded.

    One that has not ended by then stays without an end.

    Args:
      source: int `[B, S]`.
    """
    encoded = model.apply({"params": params}, source, method="encode")

    def step(carry, key):
        states, last, over = carry
        decoded = model.apply({"params": params}, encoded, last[:, None], states, method="decode")
        logits = decoded.logits[:, 0].at[:, PAD].set(-jnp.inf)
        word = jnp.where(over, PAD, jax.random.categorical(key, logits)).astype(jnp.int32)
        return (decoded.states, word, over | (word == END)), word

    rows = len(source)
    start = (encoded.states, jnp.full(rows, PAD, jnp.int32), jnp.zeros(rows, bool))
    _, words = jax.lax.scan(step, start, jax.random.split(key, length))
    return words.T
