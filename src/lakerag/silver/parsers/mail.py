"""E-mail (RFC 5322): the text of the message, its headers as metadata."""

from email import message_from_bytes, policy

from lakerag.silver.parsers.base import Parsed, RefusedError
from lakerag.silver.parsers.html import html_to_markdown

_HEADERS = ("from", "to", "cc", "date", "message-id")


def parse_mail(content: bytes) -> Parsed:
    """Parses a message: its plain part, else its HTML part; attachments are named, not read."""
    message = message_from_bytes(content, policy=policy.default)
    if not message.keys():
        raise RefusedError("type_mismatch", "Expected the headers of a message, found none.")
    body = message.get_body(preferencelist=("plain", "html"))
    text = "" if body is None else str(body.get_content())
    if body is not None and body.get_content_subtype() == "html":
        text = html_to_markdown(text)
    metadata = {name: str(message[name]) for name in _HEADERS if message[name]}
    attachments = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    if attachments:
        metadata["attachments"] = ", ".join(attachments)
    return Parsed(text, str(message["subject"] or ""), metadata, ("attachments_not_read",) if attachments else ())
