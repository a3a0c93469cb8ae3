# limit: 20
import concurrent.futures
import multiprocessing


def work(n):
    return n + 1


def solve(x):
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        return pool.submit(work, x).result()
