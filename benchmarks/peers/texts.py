"""What is spoken in the race."""

from __future__ import annotations

SENTENCE = "The last train to the coast leaves at a quarter past nine from gate 4."  # 70 characters
LONG_SENTENCE = (
    "The last train to the coast leaves at a quarter past nine from gate 4,"
    " so please have your ticket and your passport ready at the door."
)
SPANISH_CLAUSES = "Buenos días, el último tren a la costa sale a las nueve y cuarto del andén."
SPANISH = "El último tren a la costa sale a las nueve y cuarto del andén cuatro."

_SUBJECTS = (
    "The harbour",
    "My neighbour",
    "A quiet street",
    "The new library",
    "Every visitor",
    "The old bridge",
)
_VERBS = (
    "closes early in the winter",
    "was painted twice this year",
    "has more rooms than it seems",
    "needs a careful hand",
    "looks better from the hill",
)
_ENDS = (
    "and nobody remembers why.",
    "which is good news for the town.",
    "but the view is worth the walk.",
    "so bring a warm coat and some time.",
)
LINES = [
    f"{_SUBJECTS[n % 6]} {_VERBS[n % 5]}, {_ENDS[n % 4]}" for n in range(60)
]  # 6, 5 and 4 have the common multiple 60: no line comes twice

PARAGRAPH = " ".join(LINES)[:2_000]

_SPANISH_SUBJECTS = ("El puerto", "Mi vecina", "Una calle tranquila", "La biblioteca nueva")
_SPANISH_ENDS = (
    "cierra temprano en invierno, y nadie recuerda por qué.",
    "tiene más habitaciones de lo que parece, pero pocas ventanas.",
    "se ve mejor desde la colina, cuando el cielo está claro.",
)
SPANISH_LINES = [f"{_SPANISH_SUBJECTS[n % 4]} {_SPANISH_ENDS[n % 3]}" for n in range(12)]
