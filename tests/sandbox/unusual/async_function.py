# setup: import asyncio
# assert: asyncio.run(solve(3)) == 4
async def solve(x):
    import asyncio
    await asyncio.sleep(0)
    return x + 1
