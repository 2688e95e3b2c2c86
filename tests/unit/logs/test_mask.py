"""Secrets in texts and values: masked however they are written, and nothing else."""

import random
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


TOKENS = st.text(alphabet="abAB01._~-", min_size=4, max_size=12)


@given(
    secrets=st.lists(TOKENS, min_size=1, max_size=5),
    written=st.lists(st.tuples(st.integers(0, 4), st.lists(st.sampled_from("= x"), max_size=2)), max_size=4),
    escaped=st.randoms(use_true_random=False),
)
def test_tokens_are_masked_with_any_of_their_characters_encoded(
    secrets: list[str], written: list[tuple[int, list[str]]], escaped: random.Random
) -> None:
    """Next to each other, within each other, and beside one that every way of escaping may change."""
    mask = redaction([*secrets, 'a "quoted" secret'])
    text, left = "", ""
    for number, between in written:
        encoded = (
            escaped.choice([each, f"%{ord(each):02x}", f"%{ord(each):02X}"]) for each in secrets[number % len(secrets)]
        )
        text += "".join([*between, ">", *encoded, "<"])
        left += "".join([*between, ">***<"])
    assert mask(text) == left
    assert mask(f'{text}a \\"quoted\\" secret') == f"{left}***"


def test_what_looks_encoded_may_be_the_secret_itself() -> None:
    """`%41` is an A, or a % before a secret that begins with 41."""
    assert redaction(["41secret"])("%41secret") == "%***"
    assert redaction(["Asecret", "41secret"])("%41secret") == "***"


def test_a_thousand_tokens_are_found_like_one() -> None:
    """The longest that fits where several begin alike."""
    tokens = [f"token-{number}" for number in range(1000)]
    mask = redaction(tokens)
    assert mask(" ".join(tokens)) == " ".join(["***"] * 1000)
    assert mask("token- token-x tokens") == "token- token-x tokens"


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
