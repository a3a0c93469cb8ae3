# kind: stdin
import __main__
VALUE = 1
print(int(input()) + __main__.VALUE)
