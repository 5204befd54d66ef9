"""docs/scale.md says what the records say; what a program's text tells of its collectives."""

from lib.scale.traffic import traffic
from tests.benchmarks.scale_page import DOCS, rendered


def test_the_page_is_its_rendering():
    text = (DOCS / "scale.md").read_text()
    assert rendered(text) == text


def test_bytes_by_kind():
    program = """
  %all-reduce.1 = f32[4,3]{1,0} all-reduce(f32[4,3]{1,0} %x), replica_groups={}
  %ar = (f32[2]{0}, bf16[5]{0}) all-reduce(%a, %b), to_apply=%add
  ROOT %g = u8[8,2]{1,0} all-gather-start(u8[1,2]{1,0} %y), dimensions={0}
  %n = f32[] add(f32[] %all-reduce.1, f32[] %c)
"""
    assert traffic(program) == {"all-reduce": 4 * 12 + 8 + 10, "all-gather": 16}
