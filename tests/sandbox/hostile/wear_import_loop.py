# status: timeout
# limit: 1
while True:
    pass
