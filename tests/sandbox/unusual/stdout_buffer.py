# kind: stdin
import sys

sys.stdout.buffer.write(b"%d" % (int(sys.stdin.buffer.readline()) + 1))
sys.stdout.write(" \n")
