"""Sequence to sequence: one network reads a sentence, another writes its translation.

I. Sutskever, O. Vinyals, Q. V. Le. Sequence to Sequence Learning with Neural Networks. NIPS 2014.
D. Bahdanau, K. Cho, Y. Bengio. Neural Machine Translation by Jointly Learning to Align and Translate.
ICLR 2015.

The encoder makes one state of all words, and the decoder begins with it; or it keeps an annotation h_j of
each word, and the decoder looks among them anew for every word that it writes:

    p(y_1 .. y_m | x) = prod_i p(y_i | y_1 .. y_{i-1}, c_i),    c_i = sum_j alpha_ij h_j
"""
