# crlf
def solve(x):
	if x:
		return (x
		        + 1)	
	return 1 
