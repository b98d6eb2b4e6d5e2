"""Taking out of texts what could let somebody in; the last net, because none should be in them."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/@\s\"'<>]+@")
_SIGNATURE = re.compile(
    r"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|sig|Signature|AWSAccessKeyId)=)"
    r"[^&\s\"'<>]+"
)
HIDDEN = "[hidden]"


def clean(text: str) -> str:
    """Return the text without user names and passwords in URLs, and without signatures."""
    if "@" in text:
        text = _USER_INFO.sub("", text)
    return _SIGNATURE.sub(rf"\1{HIDDEN}", text) if "=" in text else text
