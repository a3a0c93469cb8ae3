# kind: stdin
import unittest
print(int(input()) + 1)
class T(unittest.TestCase):
    def test(self):
        self.assertTrue(True)
if __name__ == "__main__":
    unittest.main(argv=["x"], exit=False)
