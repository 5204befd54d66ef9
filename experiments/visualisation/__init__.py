"""Seeing what a network sees.

M. D. Zeiler, R. Fergus. Visualizing and Understanding Convolutional Networks. ECCV 2014,
arXiv:1311.2901; with K. Simonyan, A. Vedaldi, A. Zisserman. Deep Inside Convolutional Networks.
arXiv:1312.6034.

One activation is sent back to the pixels: through each pooling to where its largest value was (a switch),
through each ReLU as a ReLU of what comes back, through each convolution transposed:

    R^l = K^T relu(unpool(R^(l+1), switches))

A gradient differs in the ReLU alone: it lets through where the activation was positive. Other ways to ask:
what is the gradient of a class's score, what if a grey square hides a part, and what image raises the score
most (J. Yosinski et al., arXiv:1506.06579), with r keeping it natural:

    x <- r(x + step dS_c/dx)
"""
