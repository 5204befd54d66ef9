"""The NTM paper's own table."""

from experiments.ntm.tables import TABLES


def test_time_to_solve():
    rows = [{"seed": 0, "seconds": 7.5, "sequences": 4000}]
    rows += [{"seed": 1, "seconds": None, "sequences": 9000}]
    record = {"what": "no wrong bit", "cap": 60.0, "rows": rows, "solved": 1, "median": 7.5}
    record["peer"] = {"name": "peer", "seconds": 675, "sequences": 13_500, "why": "elsewhere"}
    record |= {"device": "cpu", "versions": "v", "command": "c"}
    table = TABLES["time_to_solve"](record)
    assert "| 0 | 7.500 | 4000 |" in table and "| 1 | not in 60.00 | 9000 |" in table
    assert "1 of 2 seeds, in 7.500 s (median)" in table and "675 s, 13500 sequences" in table
    assert table.endswith("cpu; v; `c`.")
