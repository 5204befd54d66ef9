"""Lists every paper, its claims, and whether they hold, from the committed records."""

from lib.run.paper import all_papers
from lib.report.tables import claims_text

for paper in all_papers():
    print(f"{paper.name}: {paper.title}   (python -m {paper.package})")
    records = paper.records()
    for name in [*records, *(p for p in ("laptop", "paper") if p not in records)]:
        print(f"\n  {name}" + ("" if name in records else ": not run"))
        if name in records:
            lines = claims_text(records[name]["claims"]).splitlines()
            print("\n".join(f"    {line}" for line in lines))
    print()
