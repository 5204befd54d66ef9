"""Lists every paper, its claims, and whether they hold, from the committed records."""

from lib.run.claims import judge
from lib.run.paper import all_papers
from lib.run.tables import claims_text

for paper in all_papers():
    print(f"{paper.name}: {paper.title}   (python -m {paper.package})")
    records = paper.records()
    for preset in ("laptop", "paper"):
        record = records.get(preset)
        data = [{"name": claim.dataset, "real": True} for claim in paper.claims]
        rows = record["claims"] if record else judge(paper.claims, {}, preset, data)
        print(f"\n  {preset}" + ("" if record else ": not run"))
        if record:
            print("\n".join(f"    {line}" for line in claims_text(rows).splitlines()))
    print()
