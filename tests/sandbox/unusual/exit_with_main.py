# kind: stdin
import sys
def main():
    print(int(input()) + 1)
    return 0
if __name__ == "__main__":
    sys.exit(main())
