import pathlib
import tempfile


def solve(x):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "n")
        path.write_text(str(x))
        return int(path.read_text()) + 1
