# kind: stdin
# limit: 20
import multiprocessing


def work(x):
    return x + 1


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        print(pool.map(work, [int(input())])[0])
