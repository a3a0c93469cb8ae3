# limit: 20
import asyncio


async def one(queue, n):
    await asyncio.sleep(0.001)
    await queue.put(n)


async def numbers(x):
    for n in range(x):
        yield n


async def main(x):
    queue = asyncio.Queue()
    await asyncio.gather(*(one(queue, n) for n in range(x)))
    async with asyncio.timeout(10):
        async for _ in numbers(3):
            await asyncio.to_thread(len, "x")
    return queue.qsize() + 1


def solve(x):
    return asyncio.run(main(x))
