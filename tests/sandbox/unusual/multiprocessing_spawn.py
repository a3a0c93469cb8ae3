# kind: stdin
import multiprocessing as mp
def work(n):
    return n + 1
if __name__ == "__main__":
    with mp.get_context("spawn").Pool(1) as pool:
        print(pool.map(work, [int(input())])[0])
