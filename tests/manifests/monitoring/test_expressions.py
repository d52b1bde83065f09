"""The little parser that takes alerts apart."""

import pytest

from .expressions import operands


@pytest.mark.parametrize(
    ("expression", "vectors"),
    [
        ("a < 0.5", ["a"]),
        ('min by (x) (a{y="p or q"}) > 1', ['min by (x) (a{y="p or q"})']),
        ("time() - max by (n) (a) > 1209600", ["time() - max by (n) (a)"]),
        ("max by (n) (a) == 1\nunless on (n) b{c!=\"\"}", ["max by (n) (a)", 'b{c!=""}']),
        ("a > 0.2 and b > 500\nand b offset 1w > 500", ["a", "b", "b offset 1w"]),
        ('absent(a{b=""})', ['a{b=""}']),
        ('a unless on (n, m) b unless on (n)\n  label_replace(b, "x", "$1", "y", "(.+)")',
         ["a", "b", 'label_replace(b, "x", "$1", "y", "(.+)")']),
    ],
)  # fmt: skip
def test_operands(expression, vectors):
    assert operands(expression) == vectors
