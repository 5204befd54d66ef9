"""Lists every paper, its claims, and whether they hold, from the committed records; or those named.

`launch PAPER ...` computes one as jobs, on a cluster or on this machine (see `lib.jobs.launch`).
"""

import sys

from lib.base.errors import UserError
from lib.base.streams import lasting
from lib.jobs import launch
from lib.report.tables import claims_text
from lib.run.paper import all_papers


def main(names: list[str]) -> None:
    """Prints the papers called `names`, all if there are none."""
    papers = {paper.name: paper for paper in all_papers()}
    for name in names:
        if name not in papers:
            raise UserError(f"no paper {name!r}; there are {', '.join(papers)}", 2)
    for paper in (papers[name] for name in names or papers):
        print(f"{paper.name}: {paper.title}   (python -m {paper.package})")
        records = paper.records()
        for name in [*records, *(p for p in ("laptop", "paper") if p not in records)]:
            print(f"\n  {name}" + ("" if name in records else ": not run"))
            if name in records:
                lines = claims_text(records[name]["claims"]).splitlines()
                print("\n".join(f"    {line}" for line in lines))
        print()


if __name__ == "__main__":
    with lasting():
        try:
            code = 0
            if sys.argv[1:2] == ["launch"]:
                code = launch.main(sys.argv[2:])
            else:
                main(sys.argv[1:])
        except UserError as error:
            print(f"experiments: {error}", file=sys.stderr)
            code = error.code
        except KeyboardInterrupt:
            code = 130
    sys.exit(code)
