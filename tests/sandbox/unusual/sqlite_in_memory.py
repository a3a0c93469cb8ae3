import sqlite3


def solve(x):
    with sqlite3.connect(":memory:") as connection:
        return connection.execute("select ? + 1", (x,)).fetchone()[0]
