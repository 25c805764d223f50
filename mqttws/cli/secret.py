"""Values that should not stand on a command line, where every user of the machine can read them."""

from __future__ import annotations

import os

from mqttws.cli.outcome import UsageError

__all__ = ["secret_from"]

#: Bytes that are read of a file that holds one secret.
_FILE_LIMIT = 64 * 1024


def secret_from(what: str, given: str | None, path: str | None, *variables: str) -> str | None:
    """What the option says, else what the file holds, else the first environment variable that is set and not empty.

    White space around a file's or a variable's text is dropped. None if there is no source; option and file together
    raise :class:`UsageError`, as does a file that cannot be read.
    """
    if path is not None:
        if given is not None:
            raise UsageError(f"{what} is given twice, by option and by file")
        return _read(path)
    if given is not None:
        return given
    return next((os.environ[name].strip() for name in variables if os.environ.get(name)), None)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_FILE_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"cannot read {path}: it is not UTF-8 text") from None
    if len(text) > _FILE_LIMIT:
        raise UsageError(f"cannot read {path}: it is longer than {_FILE_LIMIT} characters")
    return text.strip()
