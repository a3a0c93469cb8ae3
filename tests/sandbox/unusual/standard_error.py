# kind: stdin
import logging
import sys
import warnings

logging.basicConfig(level=logging.DEBUG)
logging.debug("reading")
warnings.warn("slow")
print("debug: " * 100_000, file=sys.stderr)
print(int(input()) + 1)
