"""The demo's four pictures, as scenes: a red ball's way through a day, from morning to night."""

from worker.demo.scenes import Scene, describe

_HIGHS_AND_LOWS = (
    # x, y, then the sky at the top and at the bottom.
    (0.20, 0.72, (0.62, 0.66, 0.90), (1.00, 0.86, 0.74)),
    (0.50, 0.30, (0.36, 0.66, 0.98), (0.82, 0.94, 1.00)),
    (0.80, 0.70, (0.36, 0.26, 0.60), (0.98, 0.72, 0.56)),
    (0.24, 0.34, (0.04, 0.06, 0.18), (0.16, 0.22, 0.46)),
)
NAMES = ("ball-1-morning", "ball-2-noon", "ball-3-evening", "ball-4-night")
SCENES = tuple(
    Scene(shape="ball", colour="red", x=x, y=y, size=0.19, top=top, bottom=bottom)
    for x, y, top, bottom in _HIGHS_AND_LOWS
)
_VERBS = ("glides", "jumps", "glides")
PROMPTS = tuple(
    describe(first, last, verb)
    for first, last, verb in zip(SCENES, SCENES[1:], _VERBS, strict=False)
)
