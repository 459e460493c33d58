"""Why a photo has no label: the codes that tables, summaries and the API share."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a photo could not be labelled. The value is the stable code; `explanation` is for people."""

    NOT_FOUND = "not_found"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_EXPENSIVE = "too_expensive"
    TOO_SMALL = "too_small"
    NOT_A_PHOTO = "not_a_photo"
    UNSUPPORTED_FORMAT = "unsupported_format"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    NOT_NAMED = "not_named"
    TIMED_OUT = "timed_out"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    PRIVATE_ADDRESS = "private_address"

    @property
    def explanation(self) -> str:
        """One short sentence for people."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    Reason.NOT_FOUND: "the file does not exist",
    Reason.UNREADABLE: "the file cannot be read",
    Reason.EMPTY: "the file is empty",
    Reason.TOO_MANY_BYTES: "the file is too large",
    Reason.TOO_MANY_PIXELS: "the photo has too many pixels",
    Reason.TOO_EXPENSIVE: "decoding the photo takes too much time or memory",
    Reason.TOO_SMALL: "the photo is too small to show anything",
    Reason.NOT_A_PHOTO: "the file is not a photo",
    Reason.UNSUPPORTED_FORMAT: "hangtag does not read this format",
    Reason.TRUNCATED: "the file is cut off",
    Reason.CORRUPT: "the file is damaged",
    Reason.NOT_NAMED: "the row does not name a photo",
    Reason.TIMED_OUT: "the server took too long to send the photo",
    Reason.UNREACHABLE: "the server cannot be reached, or the connection broke",
    Reason.REFUSED: "the server refuses access to the photo",
    Reason.PRIVATE_ADDRESS: "the address is in a private network, or its host is not allowed",
}
