def solve(x):
    total = None
    try:
        raise ExceptionGroup("", [ValueError()])
    except* ValueError:
        total = x
    match [total, {"step": 1}]:
        case [int(number), {"step": step}] if (total := number + step) > 0:
            return total
