"""Build the seed model and its problem sets from nothing: `python models/seed/build.py`.

problems -> corpus -> check that nothing is held out twice -> tokenizer -> training -> files
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import problems
from corpus.generate import Corpus, generate

HERE = Path(__file__).parent
EXAMPLES = 36_000
GGUF_NAME = "seed-q8_0.gguf"


def main() -> None:
    """Write the problem sets and, unless only they are wanted, the model."""
    args = _arguments()
    started = time.monotonic()
    sets = problems.make()
    problems.write(sets, args.out / "problems")
    print("problems:", {name: len(rows) for name, rows in sets.items()}, flush=True)
    if args.problems_only:
        return
    corpus = generate(args.examples, problems.held_out(sets), clean=args.clean)
    problems.check(sets, corpus)
    print(f"corpus: {len(corpus.examples)} examples, {corpus.wrong_share:.1%} wrong, dropped "
          f"{dict(corpus.dropped)}, {time.monotonic() - started:.0f} s", flush=True)  # fmt: skip
    _train(corpus, args.out)
    print(f"done in {(time.monotonic() - started) / 60:.1f} minutes")


def _train(corpus: Corpus, out: Path) -> None:
    from training import tokenizer, train, write_gguf, write_hf  # torch loads slowly

    texts = (f"{e.prompt}\n{e.answer}\n" for e in corpus.examples)
    tokens = tokenizer.train(texts)
    model = train.train(corpus.examples, tokens, train.Recipe())
    write_hf.write(model, tokens, out)
    write_gguf.write(model, tokens, out / GGUF_NAME)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the seed model and its problem sets.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--problems-only", action="store_true", help="write the problem sets only")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="size of the corpus")
    parser.add_argument("--clean", action="store_true", help="no wrong answers in the corpus")
    return parser.parse_args()


if __name__ == "__main__":
    main()
