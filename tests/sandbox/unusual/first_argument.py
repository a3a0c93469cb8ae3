# kind: stdin
import sys
print(len(open(sys.argv[0]).read()) > 10 and int(input()) + 1)
