# setup: import datetime
# assert: solve(3) == datetime.date(2024, 2, 29) - datetime.timedelta(days=26)
# assert: solve(3, time=True) == datetime.datetime(2024, 2, 3, 4, 5, 6, 7, datetime.timezone.utc)
import datetime


def solve(x, time=False):
    if time:
        return datetime.datetime(2024, 2, x, 4, 5, 6, 7, tzinfo=datetime.timezone.utc)
    return datetime.date(2024, 2, x)
