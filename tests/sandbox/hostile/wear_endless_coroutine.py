# status: timeout
# limit: 1
import asyncio
async def solve(x):
    while True:
        await asyncio.sleep(0)
