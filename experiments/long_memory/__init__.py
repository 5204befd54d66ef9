"""Long memory: what a recurrent network recalls after many steps, and what the future tells of the present.

S. Hochreiter, J. Schmidhuber. Long Short-Term Memory. Neural Computation 9:1735-1780, 1997.
A. Graves, J. Schmidhuber. Framewise Phoneme Classification with Bidirectional LSTM. Neural Networks 18, 2005.

Through a tanh unit an error shrinks, or grows, with every step that it flows back. Through a cell whose
connection to itself is one it flows back as it is, and gates decide what enters and what leaves:

    c_t = f c_{t-1} + i g,    h_t = o tanh(c_t);    1997: f = 1
"""
