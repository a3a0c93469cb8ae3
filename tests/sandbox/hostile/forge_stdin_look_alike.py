# status: failed
# kind: stdin
# A digit that int() takes and that is not the one expected.
print("\N{FULLWIDTH DIGIT FOUR}")
