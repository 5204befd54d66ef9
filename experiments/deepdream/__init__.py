"""Inceptionism and DeepDream.

A. Mordvintsev, C. Olah, M. Tyka. Inceptionism: Going Deeper into Neural Networks. Google Research blog,
17 June 2015; DeepDream, a code example for visualizing neural networks, 1 July 2015, with its notebook.

A network that recognises objects sees a photograph x, and whatever a layer a finds in it is strengthened:

    x <- x + 1.5 g / mean |g|,    g = d/dx 1/2 |a(x)|^2

from a small image to larger ones (octaves), each shifted at random at every step. Low layers draw strokes,
high ones things; the network is not trained, x is.
"""
