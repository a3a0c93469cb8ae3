# kind: stdin
import sys


def main():
    print(int(input()) + 1)
    sys.exit()


main()
