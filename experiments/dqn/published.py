"""Scores that others published, on games of Atari and of MinAtar. Light: imports nothing."""

SCORES = {
    "ALE/Alien-v5": (227.8, 6875, 3069),
    "ALE/Amidar-v5": (5.8, 1676, 739.5),
    "ALE/Assault-v5": (222.4, 1496, 3359),
    "ALE/Asterix-v5": (210, 8503, 6012),
    "ALE/Asteroids-v5": (719.1, 13157, 1629),
    "ALE/Atlantis-v5": (12850, 29028, 85641),
    "ALE/BankHeist-v5": (14.2, 734.4, 429.7),
    "ALE/BattleZone-v5": (2360, 37800, 26300),
    "ALE/BeamRider-v5": (363.9, 5775, 6846),
    "ALE/Bowling-v5": (23.1, 154.8, 42.4),
    "ALE/Boxing-v5": (0.1, 4.3, 71.8),
    "ALE/Breakout-v5": (1.7, 31.8, 401.2),
    "ALE/Centipede-v5": (2091, 11963, 8309),
    "ALE/ChopperCommand-v5": (811, 9882, 6687),
    "ALE/CrazyClimber-v5": (10781, 35411, 114103),
    "ALE/DemonAttack-v5": (152.1, 3401, 9711),
    "ALE/DoubleDunk-v5": (-18.6, -15.5, -18.1),
    "ALE/Enduro-v5": (0, 309.6, 301.8),
    "ALE/FishingDerby-v5": (-91.7, 5.5, -0.8),
    "ALE/Freeway-v5": (0, 29.6, 30.3),
    "ALE/Frostbite-v5": (65.2, 4335, 328.3),
    "ALE/Gopher-v5": (257.6, 2321, 8520),
    "ALE/Gravitar-v5": (173, 2672, 306.7),
    "ALE/Hero-v5": (1027, 25763, 19950),
    "ALE/IceHockey-v5": (-11.2, 0.9, -1.6),
    "ALE/Jamesbond-v5": (29, 406.7, 576.7),
    "ALE/Kangaroo-v5": (52, 3035, 6740),
    "ALE/Krull-v5": (1598, 2395, 3805),
    "ALE/KungFuMaster-v5": (258.5, 22736, 23270),
    "ALE/MontezumaRevenge-v5": (0, 4367, 0),
    "ALE/MsPacman-v5": (307.3, 15693, 2311),
    "ALE/NameThisGame-v5": (2292, 4076, 7257),
    "ALE/Pong-v5": (-20.7, 9.3, 18.9),
    "ALE/PrivateEye-v5": (24.9, 69571, 1788),
    "ALE/Qbert-v5": (163.9, 13455, 10596),
    "ALE/Riverraid-v5": (1339, 13513, 8316),
    "ALE/RoadRunner-v5": (11.5, 7845, 18257),
    "ALE/Robotank-v5": (2.2, 11.9, 51.6),
    "ALE/Seaquest-v5": (68.4, 20182, 5286),
    "ALE/SpaceInvaders-v5": (148, 1652, 1976),
    "ALE/StarGunner-v5": (664, 10250, 57997),
    "ALE/Tennis-v5": (-23.8, -8.9, -2.5),
    "ALE/TimePilot-v5": (3568, 5925, 5947),
    "ALE/Tutankham-v5": (11.4, 167.6, 186.7),
    "ALE/UpNDown-v5": (533.4, 9082, 8456),
    "ALE/Venture-v5": (0, 1188, 380.0),
    "ALE/VideoPinball-v5": (16257, 17298, 42684),
    "ALE/WizardOfWor-v5": (563.5, 4757, 3393),
    "ALE/Zaxxon-v5": (32.5, 9173, 4977),
}
"""Nature, Extended Data Table 2: of a random player, a professional human tester, and DQN."""

ABLATIONS = {
    "ALE/Breakout-v5": (316.8, 240.7, 10.2, 3.2, 3.00),
    "ALE/Enduro-v5": (1006.3, 831.4, 141.9, 29.1, 62.0),
    "ALE/Riverraid-v5": (7446.6, 4102.8, 2867.7, 1453.0, 2346.9),
    "ALE/Seaquest-v5": (2894.4, 822.6, 1003.0, 275.8, 656.9),
    "ALE/SpaceInvaders-v5": (1088.9, 826.3, 373.2, 302.0, 301.3),
}
"""Extended Data Table 3: with replay and target network, without the target network, without replay, with
neither; Table 4: a linear network."""

# MinAtar's paper (Young & Tian 2019, arXiv:1903.03176) and Obando-Ceron & Castro (2021, arXiv:2011.14826)
# show curves and print no table. What is sure of them is what their released code sets:
#
#   2019: 5 million frames, an update at each, batch 32, memory 100 000, target every 1 000, epsilon 1 to 0.1
#     over 100 000, centred RMSProp (0.00025, momentum 0.95), gradients averaged; 30 seeds; shown is the mean
#     return of the episodes that it trains on.
#   2021: 10 million frames, an update in four, Adam (0.00025); memory, batch and target as above.
#
# The number of Breakout is printed (README of github.com/joash2003/rainbow-minatar: hyperparameters of the
# MinAtar paper, 3 seeds, 5 million frames, 9.23 +- 0.13). The other four are remembered from the curves of
# 2019 and UNSURE, perhaps by a third: nobody here could look at the figure.
MINATAR = {
    "breakout": (9.23, True),
    "space_invaders": (45.0, False),
    "asterix": (15.0, False),
    "freeway": (50.0, False),
    "seaquest": (15.0, False),
}
"""Mean return of DQN's training episodes after 5 million frames, and whether we are sure of it."""
MINATAR_STEPS = 5_000_000


def share_of_published(game: str, score: float, random: float) -> float:
    """What an agent of MinAtar's `game` has gained on a random player, over what the published one has."""
    published, _ = MINATAR[game]
    return (score - random) / (published - random)


def normalised(name: str, score: float) -> float:
    """`score` on the scale on which a random player has 0 and the human 100 (Nature, Figure 3), in per cent.

    NaN for a game that is not in the table.
    """
    if name not in SCORES:
        return float("nan")
    random, human, _ = SCORES[name]
    return 100 * (score - random) / (human - random)
