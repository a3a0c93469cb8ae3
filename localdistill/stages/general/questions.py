"""Forty plain questions that have nothing to do with code, written for this project.

Each has an answer that a careful person would give, on which a model's surprise is measured, and
says what any answer must look like. They are few and easy on purpose: they are not an examination
of what a model knows, but tell whether training on code has broken how it speaks.
"""

from __future__ import annotations

from dataclasses import dataclass

ONE_WORD = (1, 4)
SHORT = (1, 40)
PROSE = (8, 160)


@dataclass(frozen=True)
class Question:
    """One question, a good answer, and what every answer must look like."""

    id: str
    prompt: str
    answer: str
    words: tuple[int, int] = PROSE  # fewest and most
    matches: str | None = None  # a regular expression that is found in it, whatever the case
    lines: int | None = None  # exactly so many lines that are not empty
    is_json: bool = False


QUESTIONS = (
    Question(
        "capital-france",
        "What is the capital of France? Answer with the name only.",
        "Paris",
        ONE_WORD,
        r"\bparis\b",
    ),
    Question(
        "capital-japan",
        "Name the capital of Japan in one word.",
        "Tokyo",
        ONE_WORD,
        r"\btokyo\b",
    ),
    Question(
        "days-week",
        "How many days are there in a week? Give only the number.",
        "7",
        ONE_WORD,
        r"\b(7|seven)\b",
    ),
    Question(
        "months",
        "How many months does a year have? Reply with one number.",
        "12",
        ONE_WORD,
        r"\b(12|twelve)\b",
    ),
    Question("sum", "What is 17 plus 5? Give only the result.", "22", ONE_WORD, r"\b22\b"),
    Question(
        "product", "What is 6 times 7? Answer with the number only.", "42", ONE_WORD, r"\b42\b"
    ),
    Question(
        "opposite-hot",
        "Which word means the opposite of hot? Answer in one word.",
        "Cold",
        ONE_WORD,
        r"\b(cold|cool)\b",
    ),
    Question("opposite-up", "What is the opposite of up? One word.", "Down", ONE_WORD, r"\bdown\b"),
    Question(
        "yes-no-ice",
        "Does ice melt when it gets warm? Answer yes or no.",
        "Yes",
        ONE_WORD,
        r"\byes\b",
    ),
    Question(
        "yes-no-fish",
        "Can a stone swim by itself? Answer with yes or no only.",
        "No",
        ONE_WORD,
        r"\bno\b",
    ),
    Question(
        "colour-sky",
        "What colour is a clear sky at noon? One word, please.",
        "Blue",
        ONE_WORD,
        r"\bblue\b",
    ),
    Question(
        "animal-sound",
        "Which animal says meow? Answer with one word.",
        "Cat",
        ONE_WORD,
        r"\b(cat|kitten)s?\b",
    ),
    Question(
        "plural",
        "Write the plural of the English word 'child'. Only the word.",
        "Children",
        ONE_WORD,
        r"\bchildren\b",
    ),
    Question(
        "past-go",
        "What is the simple past of the verb 'to go'? Only the word.",
        "Went",
        ONE_WORD,
        r"\bwent\b",
    ),
    Question(
        "french-water",
        "Translate 'water' into French. Only the word.",
        "Eau",
        ONE_WORD,
        r"\beau\b",
    ),
    Question(
        "german-house",
        "Translate the word 'house' into German. Only the word.",
        "Haus",
        ONE_WORD,
        r"\bhaus\b",
    ),
    Question(
        "spanish-thanks",
        "How does one say 'thank you' in Spanish? Give only the word.",
        "Gracias",
        ONE_WORD,
        r"\bgracias\b",
    ),
    Question(
        "list-fruit",
        "Name three fruits, one on each line, and nothing else.",
        "Apple\nBanana\nCherry",
        (3, 12),
        lines=3,
    ),
    Question(
        "list-planets",
        "List two planets of the solar system, each on its own line, and nothing else.",
        "Mars\nVenus",
        (2, 8),
        lines=2,
    ),
    Question(
        "list-tools",
        "Name four tools that a gardener uses, one on each line, and nothing else.",
        "Spade\nRake\nWatering can\nShears",
        (4, 20),
        lines=4,
    ),
    Question(
        "json-person",
        'Give a JSON object with the keys "name" and "age" for Ann, who is 30. '
        "Only the object, no explanation and no code block.",
        '{"name": "Ann", "age": 30}',
        (1, 20),
        is_json=True,
    ),
    Question(
        "json-list",
        "Give the numbers one, two and three as a JSON list of integers. "
        "Only the list, no explanation and no code block.",
        "[1, 2, 3]",
        (1, 12),
        is_json=True,
    ),
    Question(
        "sentence-rain",
        "Write one short sentence about rain.",
        "The rain fell softly on the roof all night.",
        (3, 40),
        r"\brain",
    ),
    Question(
        "sentence-bread",
        "Write one short sentence about bread.",
        "Fresh bread smells best in the early morning.",
        (3, 40),
        r"\bbread",
    ),
    Question(
        "why-sleep",
        "Why do people need sleep? Answer in one or two sentences.",
        "Sleep gives the body and the brain time to recover. Without it people become tired, "
        "forgetful and ill more easily.",
    ),
    Question(
        "why-seasons",
        "Why are there seasons on Earth? Explain it in two sentences.",
        "The axis of the Earth is tilted, so each half of it leans towards the sun for one part "
        "of the year and away from it for the other. Where it leans towards the sun, days are "
        "longer and the light falls more steeply, and it is summer.",
    ),
    Question(
        "why-wash",
        "Why should one wash one's hands before eating? One or two sentences.",
        "Hands touch many things during the day and pick up germs. Washing them keeps those "
        "germs out of your food and helps you to stay healthy.",
    ),
    Question(
        "how-tea",
        "How do you make a cup of tea? Answer in a few sentences.",
        "Boil some water and pour it over a tea bag in a cup. Let it stand for three to five "
        "minutes, then take the bag out. Add milk, lemon or sugar if you like.",
    ),
    Question(
        "how-plant",
        "How do you look after a house plant? Answer in a few sentences.",
        "Put it where it gets enough light and water it when the soil feels dry. Turn it now and "
        "then so that it grows evenly, and give it a larger pot when its roots need more room.",
    ),
    Question(
        "explain-library",
        "Explain to a child what a library is, in two sentences.",
        "A library is a place with many books that everybody may read. You can take some of them "
        "home for a few weeks and then bring them back, so that others can read them as well.",
    ),
    Question(
        "explain-bridge",
        "What is a bridge for? Answer in one or two sentences.",
        "A bridge carries a road, a railway or a path over something that is in the way, such as "
        "a river or a valley. It lets people and goods cross safely.",
    ),
    Question(
        "letter-thanks",
        "Write two sentences to thank a neighbour who watered your plants.",
        "Thank you very much for watering my plants while I was away. They look better than ever, "
        "and I owe you a favour.",
    ),
    Question(
        "letter-late",
        "Write a short, polite message to say that you will be ten minutes late.",
        "I am sorry, but my train is delayed and I will be about ten minutes late. Please start "
        "without me.",
        (4, 80),
    ),
    Question(
        "summary-market",
        "Summarise in one sentence: On Saturday the market was full. People came from all the "
        "villages around, and by noon most of the cheese and all of the bread had been sold.",
        "Saturday's market drew people from all around, and most of its cheese and all of its "
        "bread were sold by noon.",
        (5, 60),
        r"market",
    ),
    Question(
        "summary-dog",
        "Summarise in one sentence: The dog ran away in the morning. The family looked for it "
        "everywhere. In the evening it sat before the door as if nothing had happened.",
        "The dog ran away in the morning, was looked for everywhere, and came back by itself in "
        "the evening.",
        (5, 60),
        r"\bdog\b",
    ),
    Question(
        "advice-exam",
        "Give one piece of advice to someone who is nervous before an exam.",
        "Breathe slowly for a minute before you begin, and start with a question that you find "
        "easy.",
        (4, 120),
    ),
    Question(
        "advice-bicycle",
        "What should one check on a bicycle before a long ride? Answer in one or two sentences.",
        "Check that the brakes work, that the tyres are firm, and that the chain is clean and "
        "oiled. Test the lights as well if you may come home in the dark.",
    ),
    Question(
        "compare-cat-dog",
        "Name one difference between cats and dogs as pets, in one sentence.",
        "Dogs need to be taken out for walks several times a day, while cats can mostly look after "
        "themselves.",
        (4, 80),
        r"\b(dog|cat)",
    ),
    Question(
        "proverb",
        "What does the saying 'many hands make light work' mean? One or two sentences.",
        "It means that a task becomes easier when several people share it. Together they finish "
        "sooner than one person alone.",
        (5, 120),
    ),
    Question(
        "story",
        "Begin a story about a lighthouse with two sentences.",
        "Nobody had lit the lamp for thirty years when Mara climbed the stairs of the lighthouse. "
        "At the top she found the glass clean and a cup of tea that was still warm.",
        (8, 120),
    ),
)
