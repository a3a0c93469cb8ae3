# assert: solve(3) == "\x00\ud800é🙂" * 3 and len(solve(1)) == 4
def solve(x):
    return "\x00\ud800é🙂" * x
