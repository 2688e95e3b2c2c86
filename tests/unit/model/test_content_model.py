"""A content model's order, whatever the order in which its types were heard of."""

from itertools import permutations

from connector.model.content_model import ContentType, in_order


def test_content_types_are_in_the_order_of_their_ids() -> None:
    """So that two models with the same types are equal."""
    types = [ContentType(id=each, name=name) for each, name in (("a", "Z"), ("b", "Y"), ("c", "X"))]
    assert {in_order(each) for each in permutations(types)} == {tuple(types)}
