"""Playing Atari with deep reinforcement learning: DQN.

V. Mnih et al. Playing Atari with Deep Reinforcement Learning. NIPS Deep Learning Workshop 2013,
arXiv:1312.5602; and Human-level control through deep reinforcement learning. Nature 518:529-533, 2015.

A convolutional network looks at the screen and says what each action is worth; the agent takes the best one,
and a random one now and then. It learns from its own predictions, one step later:

    y = r + gamma max_a' Q(s', a'; theta^-),   theta <- theta + alpha (y - Q(s, a; theta)) grad Q(s, a; theta)

on minibatches drawn from a memory of what it has seen, so that it does not learn from one long story, with
targets from an older copy of itself (theta^-), so that they hold still for a while.
"""
