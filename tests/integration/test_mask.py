"""Secrets that are learnt while others are."""

import threading

from connector.logs.mask import Mask


def test_what_several_learn_at_once_is_all_known() -> None:
    """Streams whose tokens are replaced together read them in threads of their own."""
    mask = Mask([f'slow "to" learn {number}' for number in range(50)])
    tokens = [f'token "{number}" of one stream' for number in range(8)]
    threads = [threading.Thread(target=mask.learn, args=([token],)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert mask(" ".join(tokens)) == " ".join(["***"] * 8)
