# kind: stdin
# limit: 20
import subprocess
import sys

code = "print(int(input()) + 1)"
print(subprocess.run([sys.executable, "-c", code], input=input(), capture_output=True, text=True).stdout)
