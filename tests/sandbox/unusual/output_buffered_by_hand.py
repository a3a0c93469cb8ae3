# kind: stdin
import os, io
buffered = io.BufferedWriter(io.FileIO(1, "w"), 1 << 16)
def main():
    buffered.write(b"%d" % (int(input()) + 1))
main()
