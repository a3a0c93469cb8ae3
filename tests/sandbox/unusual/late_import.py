def solve(x):
    import colorsys
    import sqlite3
    import xml.etree.ElementTree as tree

    return int(tree.fromstring(f"<a>{x}</a>").text) + 1
