"""A batch job: adds up the orders of the day, puts tax on top, prints one line and ends.

    RATE  the tax in percent, a whole number, from the environment

The file orders.csv lies beside this one. Amounts are in cents.
"""

import csv
import os
import sys
from pathlib import Path

if "RATE" not in os.environ:
    sys.exit("RATE is not set: which tax, in percent?")
rate = int(os.environ["RATE"])

with Path(__file__).with_name("orders.csv").open(newline="") as file:
    cents = [int(row["cents"]) for row in csv.DictReader(file)]
total = sum(cents) * (100 + rate) // 100
print(f"{len(cents)} orders, total with {rate} % tax: {total // 100}.{total % 100:02d}")
