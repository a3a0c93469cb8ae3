# kind: stdin
import argparse
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--step", type=int, default=1)
print(int(input()) + parser.parse_args().step * len(sys.argv))
