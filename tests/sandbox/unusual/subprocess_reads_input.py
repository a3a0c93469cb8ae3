# kind: stdin
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "print(int(input()) + 1)"], capture_output=True, text=True).stdout)
