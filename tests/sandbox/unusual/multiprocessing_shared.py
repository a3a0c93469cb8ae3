# kind: stdin
# limit: 20
import multiprocessing
from multiprocessing import shared_memory


def work(value, queue, name):
    block = shared_memory.SharedMemory(name)
    block.buf[0] += 1
    block.close()
    with value.get_lock():
        value.value += 1
    queue.put("done")


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    value, queue = context.Value("i", int(input())), context.Queue()
    block = shared_memory.SharedMemory(create=True, size=16)
    process = context.Process(target=work, args=(value, queue, block.name))
    process.start()
    queue.get()
    process.join()
    print(value.value + block.buf[0] - 1)
    block.close()
    block.unlink()
