# status: runtime_error, failed
# kind: none
solve = None
