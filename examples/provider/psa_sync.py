"""Pushes billable counts to a PSA, one number for each organization and product, every night.

PSA_URL takes POST {"external_id", "customer", "product", "quantity", "period", "final", "note"} and replaces what it has of the
same external_id, product and period. Every product is pushed, with 0 where it was not used, so that a count that has fallen, or
is of another plan now, is not left standing. NFR is a product of its own, which nobody is charged for; so are adjustments, which
correct months that were billed already: charged or credited in the month in which they were made, perhaps below zero. Pushed are
the month that runs, which may still change, and the one before, which no longer does. PLANS are the plans of the instance; PSA_TOKEN, if set, is
sent as a Bearer token.
"""

import datetime
import json
import os
import urllib.request

from counterfoil import get


def rows():
    month = datetime.datetime.now(datetime.timezone.utc).date().replace(day=1)
    last = (month - datetime.timedelta(days=1)).replace(day=1)
    query = {"month_from": last.strftime("%Y-%m"), "month_to": month.strftime("%Y-%m"), "limit": 200}
    while True:
        page = json.loads(get("/v1/provider/usage/monthly", **query))
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]


def lines(row):
    counts = {"counterfoil-" + plan: 0 for plan in os.environ.get("PLANS", "teams,business,enterprise").split(",")}
    counts["counterfoil-nfr"] = 0
    if row["nfr"]:
        counts["counterfoil-nfr"] = row["licenses"]["consumed"]
    else:
        counts["counterfoil-" + row["plan"]] = row["licenses"]["billable"]
    for product, quantity in counts.items():
        yield line(row, product, quantity, row["billable_reason"] if quantity else "")


def line(row, product, quantity, note):
    return {
        "external_id": row["organization"]["id"],
        "customer": row["organization"]["name"],
        "product": product,
        "quantity": quantity,
        "period": row["month"],
        "final": not row["provisional"],
        "note": note,
    }


def adjustments(rows):
    """One line for each organization, plan and month: the sum of what was adjusted."""
    sums = {}
    for row in rows:
        of = sums.setdefault((row["organization"]["id"], row["month"], row["plan"]), line(row, "counterfoil-" + row["plan"] + "-adjustment", 0, ""))
        of["quantity"] += row["licenses"]["billable"]
        of["note"] = "; ".join(filter(None, [of["note"], row["billable_reason"]]))
    return sums.values()


def push(body):
    headers = {"Content-Type": "application/json"}
    if os.environ.get("PSA_TOKEN"):
        headers["Authorization"] = "Bearer " + os.environ["PSA_TOKEN"]
    request = urllib.request.Request(os.environ["PSA_URL"], json.dumps(body).encode(), headers, method="POST")
    urllib.request.urlopen(request, timeout=60).close()


if __name__ == "__main__":
    every = list(rows())
    bodies = [body for row in every if not row["adjusts"] for body in lines(row)]
    bodies += adjustments(row for row in every if row["adjusts"])
    for body in bodies:
        push(body)
    print(f"pushed {len(bodies)} lines")
