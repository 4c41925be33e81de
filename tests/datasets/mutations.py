"""Texts that are nearly right, for parsers to refuse or to read."""

import random


def mutated(text: bytes, rng: random.Random, alphabet: bytes) -> bytes:
    """`text` with one to three bytes changed, lost, put in or doubled, or cut off."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        other = bytes([rng.choice(alphabet)])
        until = min(at + rng.choice([1, 1, 2, 9]), len(text))
        text = rng.choice(
            [
                text[:at] + other + text[at + 1 :],
                text[:at] + other + text[at:],
                text[:at] + text[until:],
                text[:until] + text[at:],
                text if rng.random() < 0.5 else text[:at],
            ]
        )
        text = text or b"1"
    return text


ALPHABET = b'0123456789.,:|\t\r\n "-+e_xN\x00\x85\xe9\xff\xd9\xa0(' + "\u0663".encode()
