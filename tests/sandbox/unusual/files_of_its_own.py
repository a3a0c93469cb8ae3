import csv
import json
import os
import shutil


def solve(x):
    os.makedirs("a/b", exist_ok=True)
    with open("a/b/rows.csv", "w", newline="") as file:
        csv.writer(file).writerow([x, "é"])
    shutil.copytree("a", "c")
    with open("c/b/rows.csv", newline="") as file:
        row = next(csv.reader(file))
    json.dump(row, open("row.json", "w"))
    shutil.rmtree("a")
    shutil.rmtree("c")
    return int(json.load(open("row.json"))[0]) + 1
