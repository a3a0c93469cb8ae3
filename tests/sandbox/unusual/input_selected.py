# kind: stdin
import select, sys
select.select([sys.stdin], [], [], 1)
print(int(sys.stdin.readline()) + 1)
