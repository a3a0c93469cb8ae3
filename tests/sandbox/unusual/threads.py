# limit: 20
import concurrent.futures
import queue
import threading


def solve(x):
    results = queue.Queue()
    workers = [threading.Thread(target=lambda n=n: results.put(n)) for n in range(50)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return sum(pool.map(lambda n: n * 0, range(results.qsize()))) + x + 1
