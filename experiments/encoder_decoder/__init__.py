"""Phrases of one language scored by a network that reads them and writes the other's.

K. Cho, B. van Merriënboer, C. Gulcehre, D. Bahdanau, F. Bougares, H. Schwenk, Y. Bengio. Learning Phrase
Representations using RNN Encoder-Decoder for Statistical Machine Translation. EMNLP 2014.

The encoder makes one vector c of the source; the decoder sees it at every step; gates let it remember:

    p(y | x) = prod_t p(y_t | y_1 .. y_{t-1}, c),    h_t = z h_{t-1} + (1 - z) tanh(W x_t + U (r h_{t-1}))
"""
