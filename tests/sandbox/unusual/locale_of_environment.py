import locale
locale.setlocale(locale.LC_ALL, "")
def solve(x):
    return int(locale.format_string("%d", x + 1, grouping=True))
