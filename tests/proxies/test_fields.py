"""JSON data that can be hashed."""

from mutransfer.proxies.fields import Frozen


def test_equal_content_has_one_hash_in_any_order():
    first, second = Frozen(a=1, b=[2, {"c": 3}]), Frozen(b=[2, {"c": 3}], a=1)
    assert first == second and hash(first) == hash(second)
    assert hash(Frozen(a=1, b=[2, {"c": 4}])) != hash(first)
