# assert: solve(3, step=2) == 5 and solve(x=3) == 4 and solve(*[1], **{"step": 0}) == 1
def solve(x, /, *rest, step=1, **more):
    return x + step


solve = lambda x, step=1, solve=solve: solve(x, step=step)
