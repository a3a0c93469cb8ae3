import bisect
import heapq


def solve(x):
    heap = []
    for n in (9, x, 7, x + 1):
        heapq.heappush(heap, n)
    ordered = heapq.nsmallest(4, heap)
    return ordered[bisect.bisect_left(ordered, x + 1)]
