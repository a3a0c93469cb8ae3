# kind: stdin
import os
os.system("cls" if os.name == "nt" else "clear")
print(int(input()) + 1)
