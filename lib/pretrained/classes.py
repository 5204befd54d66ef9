"""A few of the thousand classes that ImageNet's networks tell apart. Light: imports nothing."""

CLASSES = {
    "ant": 310,
    "banana": 954,
    "starfish": 327,
    "parachute": 701,
    "screw": 783,
    "dumbbell": 543,
    "flamingo": 130,
    "school bus": 779,
    "daisy": 985,
    "goldfish": 1,
    "pineapple": 953,
    "espresso": 967,
}
"""A few of ImageNet's thousand classes (ILSVRC 2012), by the number that networks give them."""

DOGS = range(151, 269)
"""The breeds of dogs among them, Chihuahua to Mexican hairless."""
