"""A command line given as one string, split into words without a shell.

Docker Compose splits with go-shellwords, and so files rely on its rules: quotes group, a backslash takes the next
character as it is (but `\\n` and `\\t` are a line end and a tab), and everything from the first unquoted `; & | < >`
on is left out.
"""

from __future__ import annotations

_ESCAPED = {"n": "\n", "t": "\t"}


def split_words(text: str) -> tuple[tuple[str, ...], str]:
    """The words, and the part of `text` that was left out.

    Raises:
        ValueError: a quote or a final backslash leads nowhere.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    characters = iter(enumerate(text))
    for index, character in characters:
        if character == "\\" and quote != "'":
            _, escaped = next(characters, (0, ""))
            if not escaped:
                raise ValueError("it ends in a backslash")
            word = (word or "") + _ESCAPED.get(escaped, escaped)
        elif quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character.isspace():
            if word is not None:
                words.append(word)
            word = None
        elif character in ";&|<>":
            return (*words, *(() if word is None else (word,))), text[index:]
        else:
            word = (word or "") + character
    if quote:
        raise ValueError(f"the quote {quote} is never closed")
    return (*words, *(() if word is None else (word,))), ""
