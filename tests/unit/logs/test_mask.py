"""Secrets in texts and values: masked however they are written, and nothing else."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from connector.logs.mask import Mask, masked, redaction


@given(secret=st.text(min_size=6, max_size=20), around=st.text(alphabet="<>", max_size=5))
def test_any_text_can_be_a_secret(secret: str, around: str) -> None:
    """Masking works for every character a secret can hold, plain and URL-encoded."""
    mask = redaction([secret])
    assert mask(around + secret + around) == f"{around}***{around}" or secret in around * 2
    assert mask("x=" + quote(secret.encode("utf-8", "surrogatepass"), safe="")) == "x=***"


def test_a_mask_learns_and_forgets_nothing() -> None:
    """A secret that was replaced is still secret: it may appear in a later line."""
    mask = Mask(["first-secret"])
    mask.learn(["second-secret"])
    assert mask("first-secret, second-secret, third") == "***, ***, third"


def test_without_a_secret_every_text_stays_as_it_is() -> None:
    """An empty one does not count: it would match between any two characters."""
    assert [mask("a text") for mask in (Mask(), Mask([""]), redaction([]))] == ["a text"] * 3


def test_values_keep_their_shape_without_their_secrets() -> None:
    """Keys too, at any depth; numbers and booleans stay as they are unless they are the secret."""
    mask = Mask(["s3cret", "123456"])
    value = {"s3cret": [1, True, None, 0.5, ("s3cret",)], "n": 123456}
    assert masked(mask, value) == {"***": [1, True, None, 0.5, ["***"]], "n": "***"}
    assert masked(mask, ValueError("s3cret is wrong")) == "*** is wrong"
