"""A message gives its text and headers; its attachments are named."""

from email.message import EmailMessage

import pytest

from lakerag.silver.parsers.base import RefusedError
from lakerag.silver.parsers.mail import parse_mail


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Pumpe läuft"
    mail["From"] = "Ann <ann@example.test>"
    mail["To"] = "bob@example.test"
    return mail


def test_the_plain_part_is_preferred() -> None:
    mail = message()
    mail.set_content("The pump is on.\n")
    mail.add_alternative("<p>The pump is <b>on</b>.</p>", subtype="html")
    parsed = parse_mail(mail.as_bytes())
    assert (parsed.title, parsed.text) == ("Pumpe läuft", "The pump is on.\n")
    assert parsed.metadata == {"from": "Ann <ann@example.test>", "to": "bob@example.test"}


def test_html_alone_becomes_markdown() -> None:
    mail = message()
    mail.set_content("<h1>Pump</h1><p>It is on.</p>", subtype="html")
    assert parse_mail(mail.as_bytes()).text == "# Pump\n\nIt is on."


def test_attachments_are_named_and_flagged() -> None:
    mail = message()
    mail.set_content("See attached.")
    mail.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="plan.pdf")
    parsed = parse_mail(mail.as_bytes())
    assert parsed.metadata["attachments"] == "plan.pdf"
    assert parsed.flags == ("attachments_not_read",)


def test_bytes_without_headers_are_no_message() -> None:
    with pytest.raises(RefusedError) as refused:
        parse_mail(b"\n\njust text")
    assert refused.value.reason == "type_mismatch"
