from lakerag.jobs.topics import pages, to_markdown


def test_indented_code_is_fenced_and_literals_are_marked() -> None:
    text = 'The "with" block:\n\n   with A() as a:\n       pass\n\n   B()\n\nis run.'
    assert to_markdown(text) == "The `with` block:\n\n```python\nwith A() as a:\n    pass\n\nB()\n```\n\nis run."


def test_indented_explanations_stay_prose() -> None:
    text = "object.__init__(self)\n\n   Called for\n   each new instance."
    assert to_markdown(text) == "object.__init__(self)\n\nCalled for\neach new instance."


def test_a_short_topic_is_one_page_with_its_headings() -> None:
    words = " word" * 20
    topic = f'The "if" statement\n******************\n\nFirst{words}.\n\nMore\n====\n\nSecond{words}.\n'
    assert list(pages(topic, 100)) == [("The if statement", f"First{words}.\n\n## More\n\nSecond{words}.")]


def test_a_long_topic_is_one_page_a_section() -> None:
    words = " word" * 40
    topic = f"Types\n*****\n\nFirst{words}.\n\nNone\n====\n\nShort.\n\nSets\n====\n\nSecond{words}.\n"
    assert list(pages(topic, 50)) == [("Types", f"First{words}."), ("Sets", f"Second{words}.")]


def test_footnotes_are_left_out() -> None:
    topic = "Truth\n*****\n\nAll" + " word" * 40 + ".\n\n-[ Footnotes ]-\n\n[1] Gone."
    assert list(pages(topic, 100)) == [("Truth", "All" + " word" * 40 + ".")]
