# kind: stdin
import sys

sys.stdout.write(f"\r\n{int(input()) + 1}\r\n\r\n")
